WHO = "my own sandbox module"
