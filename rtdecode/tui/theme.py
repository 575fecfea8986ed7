"""The theme `rtdecode`: near-black, one accent, three state colours. The only place with colours."""

from textual.theme import Theme

THEME = Theme(
    name="rtdecode",
    primary="#5fb3d4",
    accent="#5fb3d4",
    success="#86c28b",
    warning="#e0b060",
    error="#e5727a",
    foreground="#d5d9de",
    background="#0b0d10",
    surface="#12151a",
    panel="#2b3138",
    dark=True,
    variables={"footer-key-foreground": "#5fb3d4", "footer-background": "#12151a"},
)
