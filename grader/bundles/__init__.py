"""Code bundles: archives are unpacked, bundles inspected."""
