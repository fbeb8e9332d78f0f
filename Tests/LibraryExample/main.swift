import MergeproofKit

let original = try Checkpoint(opening: "model")
let key = SecretKey()
try key.write(to: "key")
_ = try Protector().protect(original, to: "locked", key: key, options: ProtectionOptions(method: .full))
let locked = try Checkpoint(opening: "locked")
let weights = try AlgebraicVerification().verify(original, locked)
let outputs = try FunctionalVerification().verify(original, locked)
print("same function:", weights.holds && outputs.holds)
_ = try Protector().restore(locked, to: "back", key: key)
