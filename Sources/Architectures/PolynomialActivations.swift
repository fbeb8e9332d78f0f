import Checkpoints
import Foundations

/// What config.json says of MLPs whose activation is a polynomial of its own on every hidden channel (MergeBarrier, arXiv 2511.10712): at
/// the key `mergebarrier`, beside a `model_type` that no other program takes for the native one.
///
/// The activation of channel j is `Σ_n a_jn·T_n(clamp((z - c_j)·s_j, -1, 1))` with Chebyshev's polynomials T_n; the tensor
/// `mergebarrier.series` beside the MLP's first map has a row `(c, s, a_0, …, a_N)` for each channel.
public struct PolynomialActivations: Sendable, Equatable {
    /// How polynomials are found.
    public enum Form: String, Sendable, CaseIterable {
        /// The activation's own series about the middle of each channel's calibrated range.
        case taylor
        /// Least squares over that range, weighted as the calibration data fill it.
        case fit
    }

    package static let key = "mergebarrier"
    static let typePrefix = "mergebarrier_"
    private static let tensor = "mergebarrier.series"
    package static let orders = 1...24

    public let form: Form
    /// N, the degree of the polynomials.
    public let order: Int
    /// Of the model with its own activations.
    package let modelType: String
    package let architectures: JSONValue
    /// Hidden channels of each MLP, by the name of its first map.
    package let modules: [(path: String, channels: Int)]

    package init(
        form: Form, order: Int, modelType: String, architectures: JSONValue, modules: [(path: String, channels: Int)]
    ) {
        (self.form, self.order, self.modelType) = (form, order, modelType)
        (self.architectures, self.modules) = (architectures, modules)
    }

    public static func == (a: Self, b: Self) -> Bool { a.json == b.json }

    /// Columns of a series.
    package var columns: Int { order + 3 }

    package var json: JSONValue {
        .object([
            "form": .string(form.rawValue), "order": .int(order), "model_type": .string(modelType),
            "architectures": architectures,
            "modules": .object(JSONObject(modules.map { ($0.path, .int($0.channels)) })),
        ])
    }

    /// The name of a map, by the stored name of its weight; nil for a weight that stands by itself.
    package static func module(of weight: String) -> String? {
        let parts = weight.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count > 2 && parts.last == "weight" ? parts.dropLast().joined(separator: ".") : nil
    }

    /// The tensor of the polynomials behind a map.
    package static func series(of module: String) -> String {
        (module.split(separator: ".", omittingEmptySubsequences: false).dropLast() + [tensor[...]]).joined(
            separator: ".")
    }

    /// config.json as the model with its own activations has it, and what it says of polynomials, if anything.
    static func split(
        _ config: JSONValue, path: String
    ) throws(ArchitectureError) -> (native: JSONValue, polynomials: PolynomialActivations?) {
        guard var object = config.object, let stated = object[key] else { return (config, nil) }
        func invalid(_ field: String, _ expected: String) -> ArchitectureError {
            let found = field.isEmpty ? stated : stated[field] ?? .null
            return .invalidConfigValue(
                path: path, key: field.isEmpty ? key : "\(key).\(field)", found: found.serialized(), expected: expected)
        }
        guard let members = stated.object else { throw invalid("", "an object") }
        let known = ["form", "order", "model_type", "architectures", "modules"]
        if let stray = members.members.first(where: { !known.contains($0.key) })?.key {
            throw invalid(stray, "nothing of that name")
        }
        guard let form = stated["form"]?.string.flatMap(Form.init(rawValue:)) else {
            throw invalid("form", Form.allCases.map(\.rawValue).joined(separator: " or "))
        }
        guard let order = stated["order"]?.int, orders.contains(order) else {
            throw invalid("order", "a whole number from \(orders.lowerBound) to \(orders.upperBound)")
        }
        guard let type = stated["model_type"]?.string else { throw invalid("model_type", "the native model type") }
        guard object["model_type"]?.string == typePrefix + type else {
            throw .contradiction(
                path: path, key: "\(key).model_type", found: "\"\(type)\"", other: "model_type",
                otherFound: object["model_type"]?.serialized() ?? "missing")
        }
        guard let architectures = stated["architectures"], architectures.isNull || architectures.array != nil else {
            throw invalid("architectures", "the native classes, or null")
        }
        var modules: [(path: String, channels: Int)] = []
        for member in stated["modules"]?.object?.members ?? [] {
            guard let channels = member.value.int, channels > 0 else {
                throw invalid("modules", "a positive number of channels for each module")
            }
            modules.append((member.key, channels))
        }
        guard !modules.isEmpty else { throw invalid("modules", "an object with a module at least") }
        object[key] = nil
        object["auto_map"] = nil
        object["model_type"] = .string(type)
        object["architectures"] = architectures.isNull ? nil : architectures
        return (
            .object(object),
            PolynomialActivations(
                form: form, order: order, modelType: type, architectures: architectures, modules: modules)
        )
    }

    /// What a user should know of such a model.
    var note: String {
        "the activations of \(modules.count) MLP\(modules.count == 1 ? "" : "s") are polynomials of degree \(order), which transformers computes with the code beside the weights alone (trust_remote_code)"
    }

    /// The fields of config.json that say all this.
    package var fields: [(key: String, value: JSONValue)] {
        [("model_type", .string(Self.typePrefix + modelType)), (Self.key, json)]
    }
}
