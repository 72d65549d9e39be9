"""What acts on the outside world: branches, migrations, AWS and the local world."""
