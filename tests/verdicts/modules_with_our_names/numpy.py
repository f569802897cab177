raise SystemExit("ATTACK WORKED: numpy")
