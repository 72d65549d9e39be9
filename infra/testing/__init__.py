"""What tests of a project built with the kit need: databases of their own, sessions, clients, factories."""
