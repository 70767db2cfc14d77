"""Servers on this machine: started for the time of a run, and models that they are told to fetch."""
