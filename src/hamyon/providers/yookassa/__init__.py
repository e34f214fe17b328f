"""YooKassa (API v3): roubles by card and by Russia's other ways to pay.

Its own SDK blocks, knows no time-outs and keeps one shop's key a process; six calls over the shared
client do not.
"""
