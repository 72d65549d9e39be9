"""Connections that survive serverless: URLs, engine, sessions, timeouts, tables, repositories."""
