print("ATTACK WORKED: usercustomize")
