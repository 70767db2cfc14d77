"""Captioners: hosted and local models, servers, plug-ins, the embedded one, and their retries and limits."""
