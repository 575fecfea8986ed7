"""The review of sessions that are over: where they are listed, one on a timeline, two side by side.

    sessions.py  the list            app.py  one session            pair.py  two sessions
    data.py  what is known of a session, as its screens want it; timeline.py and panels.py draw it

Knows neither files nor reports: rtdecode/commands/review_screen.py reads the logs.
"""
