import Checkpoints
import Foundations

extension ModelDescription {
    /// Something that is so or not, for the whole model or for each layer.
    package struct Flag: Sendable {
        package enum Source: Sendable {
            /// A boolean of the config.
            case bool(default: Bool)
            /// Whether a config value is one of some.
            case oneOf([JSONValue], default: Bool)
            /// Whether a config value is there and not null; or the default, where nothing is there.
            case present(default: Bool)
            /// Whether two dimensions differ.
            case differ(DimensionExpression, DimensionExpression)
            /// Whether a tensor is there.
            case tensor(String)
            /// Whether the layer's entry of a config list is one of some.
            case listed([JSONValue])
            /// Whether the layer's letter in a config string is one of some (Nemotron-H).
            case letters([String])
            /// Whether the layer's entry is one of some in a list that the config writes as parts with counts.
            case repeated([JSONValue])
            /// Whether a config list holds the layer's number.
            case index
            /// layer % period == remainder: the last of each period where there is none.
            case every(DimensionExpression, remainder: DimensionExpression?)
            /// From this layer on.
            case from(DimensionExpression)
        }
        package let key: String
        /// The first whose config key is there decides.
        package let sources: [Source]
        /// Keys that, where they are there, must state what the flag is.
        let checks: [String]

        var readsConfig: Bool {
            sources.contains { source in
                switch source {
                case .bool, .oneOf, .present, .listed, .letters, .repeated, .index: true
                case .differ, .tensor, .every, .from: false
                }
            }
        }

        init(_ name: String, _ f: inout Fields) throws(ArchitectureError) {
            key = try f.optionalString("key") ?? name
            var sources: [Source] = []
            if let tensor = try f.optionalString("tensor") { sources.append(.tensor(tensor)) }
            if let pair = try f.optionalStrings("differ") {
                guard pair.count == 2 else { throw f.fault("differ") }
                sources.append(.differ(try f.expression(pair[0], "differ"), try f.expression(pair[1], "differ")))
            }
            if try f.bool("present", default: false) {
                sources.append(.present(default: try f.bool("default", default: false)))
            }
            if try f.bool("index", default: false) { sources.append(.index) }
            if let values = try f.values("listed") { sources.append(.listed(values)) }
            if let letters = try f.optionalStrings("letters") { sources.append(.letters(letters)) }
            if let values = try f.values("repeated") { sources.append(.repeated(values)) }
            if let values = try f.values("in") {
                sources.append(.oneOf(values, default: try f.bool("default", default: false)))
            }
            if let period = try f.optionalExpression("every") {
                sources.append(.every(period, remainder: try f.optionalExpression("remainder")))
            }
            if let start = try f.optionalExpression("from") { sources.append(.from(start)) }
            if sources.isEmpty { sources = [.bool(default: try f.bool("default", default: false))] }
            self.sources = sources
            checks = try f.optionalStrings("checks") ?? []
        }
    }
}
