print("ATTACK WORKED: sitecustomize")
