import Checkpoints
import Foundations
import LinearAlgebra
import TestSupport

/// Changes of a config.json, each one that a careless or hostile hand could make: every member at every depth is left out, or
/// replaced by values of other types, sizes and signs, or by another member's value.
struct ConfigMutations {
    /// What stands in a member's place.
    static let values: [JSONValue] =
        [
            .null, .bool(true), .bool(false), .string(""), .string("NaN"), .string("default"), .array([]), .object([:]),
            .array([.int(0)]), .array([.null, .string("x")]), .object(["x": .object(["y": .array([.int(1)])])]),
        ]
        + [
            "0", "1", "-1", "2", "3", "5", "7", "64", "1e-300", "1e300", "1e999", "-1e300", "0.5", "1.5", "-0.0",
            "16777216",
            "2147483647", "2147483648", "4611686018427387904", "9223372036854775807", "-9223372036854775808",
            "9223372036854775808",
        ].map(JSONValue.number)

    struct Mutation: CustomStringConvertible {
        let path: [String]
        /// Nil: the member is left out.
        let value: JSONValue?

        var description: String {
            "\(path.joined(separator: ".")) = \((value?.serialized() ?? "absent").prefix(200))"
        }

        func apply(to config: JSONObject) -> JSONObject { Self.set(.object(config), path[...], value).object ?? config }

        private static func set(_ root: JSONValue, _ path: ArraySlice<String>, _ value: JSONValue?) -> JSONValue {
            guard let key = path.first else { return value ?? .null }
            let rest = path.dropFirst()
            switch root {
            case .object(var object):
                object[key] = rest.isEmpty ? value : object[key].map { set($0, rest, value) } ?? value
                return .object(object)
            case .array(var array):
                guard let place = Int(key), array.indices.contains(place) else { return root }
                if rest.isEmpty, value == nil {
                    array.remove(at: place)
                } else {
                    array[place] = set(array[place], rest, value)
                }
                return .array(array)
            default: return root
            }
        }
    }

    /// Paths of all members and of the first items of lists.
    static func paths(in value: JSONValue, below path: [String] = []) -> [[String]] {
        switch value {
        case .object(let object):
            object.members.flatMap { [path + [$0.key]] + paths(in: $0.value, below: path + [$0.key]) }
        case .array(let array):
            array.prefix(2).enumerated().flatMap { place, item in
                [path + ["\(place)"]] + paths(in: item, below: path + ["\(place)"])
            }
        default: []
        }
    }

    private static func value(at path: [String], in root: JSONValue) -> JSONValue? {
        path.reduce(root) { value, key in
            value?[key] ?? value?.array.flatMap { list in Int(key).flatMap { $0 < list.count ? list[$0] : nil } }
        }
    }

    static func all(of config: JSONObject) -> [Mutation] {
        let root = JSONValue.object(config)
        var mutations: [Mutation] = []
        for path in paths(in: root) {
            mutations.append(Mutation(path: path, value: nil))
            mutations += values.map { Mutation(path: path, value: $0) }
            guard let found = value(at: path, in: root) else { continue }
            if let number = found.int {
                mutations += [number - 1, number + 1, 2 * number, number / 2].map {
                    Mutation(path: path, value: .int($0))
                }
            }
            if let list = found.array {
                mutations.append(Mutation(path: path, value: .array(list + list)))
                mutations.append(Mutation(path: path, value: .array(Array(list.dropLast()))))
                mutations.append(Mutation(path: path, value: .array(list.reversed())))
            }
        }
        for member in config.members {
            for other in config.members where other.key != member.key && other.value.object != nil {
                mutations.append(Mutation(path: [member.key], value: other.value))
            }
        }
        return mutations
    }
}
