"""Models, prompts, chains and earlier outputs side by side: asked as ordinary jobs, shown as one page.

``contestants`` says who takes part, ``running`` asks them, ``answers`` reads what they said, ``figures``
and ``differences`` weigh it, ``page`` and ``tables`` write it down.
"""
