import Checkpoints
import Foundations

/// What is merged and how, as mergekit's YAML says it: its keys, its defaults, its order of precedence.
public struct MergeConfiguration: Sendable {
    public typealias Settings = [String: MergeSetting]

    /// Layers of one model.
    public struct Source: Sendable {
        public let model: String
        /// Nil for all of them.
        public let layers: Range<Int>?
        public let settings: Settings
        /// The file that a method needs of each model beside it.
        public let evidence: String?

        public init(
            _ model: String, layers: Range<Int>? = nil, settings: Settings = [:], evidence: String? = nil
        ) {
            (self.model, self.layers, self.settings, self.evidence) = (model, layers, settings, evidence)
        }
    }

    /// Layers of the output, that are made of as many of each source.
    public struct Slice: Sendable {
        public let sources: [Source]
        /// Nil for that of the whole.
        public let base: String?
        public let settings: Settings

        public init(_ sources: [Source], base: String? = nil, settings: Settings = [:]) {
            (self.sources, self.base, self.settings) = (sources, base, settings)
        }
    }

    /// A part of the model that has layers of its own, such as an encoder.
    public struct Module: Sendable {
        /// Nil for all of the model.
        public let name: String?
        public let slices: [Slice]
        public let settings: Settings

        public init(_ slices: [Slice], named name: String? = nil, settings: Settings = [:]) {
            (self.name, self.slices, self.settings) = (name, slices, settings)
        }
    }

    public let method: MergeMethod
    public let base: String?
    public let modules: [Module]
    public let settings: Settings
    /// What the output is stored in; nil for the types of the base, or of the first model.
    public let outputType: ElementType?
    /// Which tokenizer the output has; nil for the base's, whatever the others' are.
    public let vocabulary: Vocabulary?

    public init(
        _ method: MergeMethod, modules: [Module], base: String? = nil, settings: Settings = [:],
        outputType: ElementType? = nil, vocabulary: Vocabulary? = nil
    ) {
        (self.method, self.modules, self.base) = (method, modules, base)
        (self.settings, self.outputType, self.vocabulary) = (settings, outputType, vocabulary)
    }

    /// All of some models.
    public init(
        _ method: MergeMethod, _ models: [Source], base: String? = nil, settings: Settings = [:],
        outputType: ElementType? = nil, vocabulary: Vocabulary? = nil
    ) {
        self.init(
            method, modules: [Module([Slice(models)])], base: base, settings: settings, outputType: outputType,
            vocabulary: vocabulary)
    }

    /// Every model that is named, the base first, each once.
    public var names: [String] {
        let all =
            [base].compactMap(\.self)
            + modules.flatMap { $0.slices.flatMap { [$0.base].compactMap(\.self) + $0.sources.map(\.model) } }
        var seen: Set<String> = []
        return all.filter { seen.insert($0).inserted }
    }
}
