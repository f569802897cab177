print("ATTACK WORKED: harness")
