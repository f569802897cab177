raise SystemExit("ATTACK WORKED: torch")
