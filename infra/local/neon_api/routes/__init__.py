"""The routes of Neon's API v2 that this control plane has; a module for each kind of thing."""
