import Architectures
import ArgumentParser
import Protections
import Symmetries

/// What is done to a model: methods with options that hold for all of them, or a recipe.
struct MethodOptions: ParsableArguments {
    @Option(
        help:
            "Protection method, or several joined by +, the first acting first: mergelock+params. Options for elements, sites and layers hold for all of them that know them."
    )
    var method: MethodList?

    @Option(
        help: ArgumentHelp(
            "Steps with all that belongs to them, instead of a method and its options.", valueName: "file.yml"))
    var recipe: String?

    @Option(help: "How matrices are drawn; the method's first unless said otherwise.")
    var sampler: Sampler?

    @Option(
        help:
            "Condition number K of what is drawn, or its bound for gaussian; 10 unless said otherwise, 1000 for gaussian, 400 for diagonal and symmetric, 150 for nonsymmetric."
    )
    var condition: Double?

    @Option(
        help:
            "Kinds of sites to act on, separated by commas: vo, qk, mlp, heads, experts, residual, or all; the method's unless said otherwise."
    )
    var sites: SiteList?

    @Option(
        help:
            "What is done to the residual stream where --sites holds it: permutation (unless said otherwise), hadamard or rotation (turned by a fast or a dense orthogonal matrix; full alone), or none."
    )
    var residual: ResidualTransform?

    @Flag(help: "The same as --residual none, for adapters, draft heads and steering vectors that read it.")
    var keepHiddenStates = false

    @Option(
        help:
            "Layers to act on, such as 0-11,23, counted from 0 in each stack (encoder and decoder alike); all unless said otherwise."
    )
    var layers: LayerList?

    @Option(
        help:
            "For mergebarrier: what stands for the activations of MLPs: none (unless said otherwise), or polynomials of every channel, its taylor series or a fit over its range on the calibration data, which changes the function; transformers then loads the model with trust_remote_code."
    )
    var ffn: FeedForwardForm?

    @OptionGroup(title: "Parameters of methods")
    var parameters: ParameterOptions

    func validate() throws {
        guard (method == nil) != (recipe == nil) else {
            throw ValidationError("Give --method or --recipe, and one of them alone.")
        }
        if recipe != nil {
            let isBare =
                sampler == nil && condition == nil && sites == nil && residual == nil && layers == nil && ffn == nil
            guard isBare, !keepHiddenStates, parameters.values.isEmpty else {
                throw ValidationError("A recipe says for each step what these options say; leave them out.")
            }
        }
        if let sampler, !isOnly, !methods.contains(where: { $0.samplers.contains(sampler) }) {
            throw ValidationError("None of the methods draws \(sampler.rawValue).")
        }
        for parameter in parameters.values.keys
        where !isOnly && !methods.contains(where: { $0.parameters.contains(parameter) }) {
            throw ValidationError("None of the methods takes --\(parameter.name).")
        }
        if ffn != nil, !isOnly, !methods.contains(where: \.statesPolynomials) {
            throw ValidationError("None of the methods takes --ffn.")
        }
        if keepHiddenStates, let residual, residual != .none {
            throw ValidationError(
                "--keep-hidden-states leaves the residual stream as it is, and --residual \(residual.rawValue) does not; give one of them."
            )
        }
    }

    private var methods: [ProtectionMethod] { method?.methods ?? [] }
    private var isOnly: Bool { methods.count == 1 }

    /// What the options make of the methods.
    var steps: [StepOptions] {
        methods.map { method in
            var step = StepOptions(method: method)
            // One method alone is told what it does not know.
            if isOnly || method.samplers.contains(where: { $0 == sampler }) { step.sampler = sampler }
            if isOnly || !method.isExact { step.condition = condition }
            step.parameters = parameters.values.filter { isOnly || method.parameters.contains($0.key) }
            if isOnly || method.statesPolynomials { step.ffn = ffn?.form }
            step.siteKinds = sites?.kinds
            let actsOnStreams = (sites?.kinds ?? method.siteKinds).contains(.residual)
            step.residual =
                keepHiddenStates ? .none : isOnly || actsOnStreams ? residual ?? .permutation : .permutation
            step.layers = layers?.layers
            return step
        }
    }
}

/// What stands for the activations of MLPs.
enum FeedForwardForm: String, CaseIterable, ExpressibleByArgument {
    case none, taylor, fit

    /// Nil where they stay.
    var form: PolynomialActivations.Form? { PolynomialActivations.Form(rawValue: rawValue) }
}
