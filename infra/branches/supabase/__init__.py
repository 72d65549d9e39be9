"""Branches on Supabase."""
