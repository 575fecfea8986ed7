"""What a session was, from its log alone: one HTML file that needs no network, and tables for other tools.

    log --> facts.gather --> page.page --> write (HTML)
                        `--> export (CSV, Praat TextGrid, BIDS events)

Reads session logs and, for the truth, the bundle that the log names. Knows no stream, no decoder, no screen.
"""
