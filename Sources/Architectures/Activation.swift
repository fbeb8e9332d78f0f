/// Pointwise nonlinearities, by the names of transformers.
public enum Activation: String, Sendable, CaseIterable {
    case gelu
    case geluTanh = "gelu_pytorch_tanh"
    case quickGelu = "quick_gelu"
    case silu, relu, relu2, tanh

    /// Other spellings of the same functions; T5 says "gated-" of a gate's, and by "gated-gelu" means the tanh form.
    init?(configName: String) {
        switch configName {
        case "gelu_new", "gelu_fast", "gelu_accurate", "gelu_python_tanh", "gated-gelu": self = .geluTanh
        case "gelu_python": self = .gelu
        case "swish", "gated-silu": self = .silu
        default: self.init(rawValue: configName)
        }
    }

    /// f(s·x) = s·f(x) for s > 0.
    public var isPositivelyHomogeneous: Bool { self == .relu }
}
