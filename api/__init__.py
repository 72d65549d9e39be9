"""The application that ships to Lambda."""
