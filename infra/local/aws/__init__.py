"""The AWS of this machine: moto's server, mended where a deployment needs more, and functions that run.

Everything lies in memory for the life of its process: what was deployed is gone when it ends.
"""
