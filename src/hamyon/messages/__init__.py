"""Telling people: notices on their way, broadcasts, support and news."""
