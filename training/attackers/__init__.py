"""System A's attackers: what spoils the sources before the generator sees them (METHODS 1.6).

The papers state only that the attacker is black-box and stands before the generator; how it works here is a proposal.
"""
