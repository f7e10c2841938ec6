"""The one orchestrator: drift, challenger, decision, promotion."""
