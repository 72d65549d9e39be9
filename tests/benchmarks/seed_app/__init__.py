"""The baseline: an application as the seed documents have it, unchanged in what matters here.

An engine with `pool_size=5, max_overflow=10, pool_pre_ping=True` on the plain URL, a session for each
request, `Mangum(app)` with its defaults. Written against the tables of this repository's first
revision, with one statement for a list, so that only the way differs and not the work.
"""
