"""The sample scenes; each function draws one."""
