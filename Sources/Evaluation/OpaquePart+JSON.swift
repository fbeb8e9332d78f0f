import Architectures
import Checkpoints

extension OpaquePart {
    var json: JSONValue {
        .object(["name": .string(name), "tensors": .int(tensors.count), "reason": .string(reason)])
    }
}
