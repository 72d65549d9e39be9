"""What every route shares at its edge: problem documents, logs, deadlines, health, pagination."""
