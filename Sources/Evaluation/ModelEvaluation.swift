import Architectures
import Checkpoints
import ForwardPass
import Glibc
import LinearAlgebra

/// How well a model does on data.
public struct ModelEvaluation: Sendable {
    public enum Metric: String, Sendable, CaseIterable, Encodable {
        /// Share of examples, or of next tokens, whose true class has the largest score.
        case accuracy
        /// exp of the mean cross-entropy of next tokens.
        case perplexity
        /// Mean cross-entropy in nats.
        case loss
    }

    public struct Example: Sendable {
        public let inputs: ModelInputs
        public let label: Int?

        public init(inputs: ModelInputs, label: Int? = nil) {
            self.inputs = inputs
            self.label = label
        }
    }

    public struct Result: Sendable, Encodable {
        public let metric: Metric
        public let value: Double
        /// What was counted.
        public let count: Int
        public let unit: String
    }

    /// Both metrics that labels and next tokens have, from one pass over the examples.
    public struct Scores: Sendable {
        public let accuracy, loss: Double
        /// What was counted.
        public let count: Int
        public let unit: String
    }

    /// One at least; several are asked together.
    private let models: [Model]
    private let inDouble: Bool

    public init(model: Model, inDouble: Bool = false) {
        (models, self.inDouble) = ([model], inDouble)
    }

    /// The mean of several models' probabilities (arXiv 2503.01268), what a merge of them can hope for.
    /// - Parameter others: of the same inputs and classes.
    public init(ensemble first: Model, _ others: [Model], inDouble: Bool = false) {
        (models, self.inDouble) = ([first] + others, inDouble)
    }

    private var model: Model { models[0] }

    /// Reads examples: JSON lines, or a safetensors file with `labels` beside the inputs.
    public static func examples(reading path: String) throws -> [Example] {
        guard path.hasSuffix(".safetensors") else {
            return try ModelInputs.lines(reading: path).map { Example(inputs: $0.inputs, label: $0.label) }
        }
        let inputs = try ModelInputs(reading: path)
        let labels = try ModelInputs.labels(reading: path)
        let count = max(inputs.tokens.count, inputs.pixels.count)
        guard labels.isEmpty || labels.count == count else {
            throw InputError.shape(
                file: path, tensor: "labels", reason: "expected \(count) labels, found \(labels.count)")
        }
        return (0..<count).map { Example(inputs: inputs.example($0), label: $0 < labels.count ? labels[$0] : nil) }
    }

    /// - Throws: `EvaluationError` where data and head do not go together.
    public func evaluate(
        _ examples: [Example], _ metric: Metric, progress: ((Int) -> Void)? = nil
    ) throws -> Result {
        if metric == .perplexity, isClassifier { throw EvaluationError.noPerplexity }
        let scores = try scores(examples, progress: progress)
        let value =
            switch metric {
            case .accuracy: scores.accuracy
            case .loss: scores.loss
            case .perplexity: exp(scores.loss)
            }
        return Result(metric: metric, value: value, count: scores.count, unit: scores.unit)
    }

    /// - Throws: `EvaluationError` where data and head do not go together.
    public func scores(_ examples: [Example], progress: ((Int) -> Void)? = nil) throws -> Scores {
        var (hits, count, loss) = (0, 0, 0.0)
        for batch in model.architecture.batches(examples.map(\.inputs)) {
            for (number, (kind, scores)) in zip(
                batch, try scores(ModelInputs(joining: batch.map { examples[$0].inputs })))
            {
                guard scores.elements.allSatisfy(\.isFinite) else { throw EvaluationError.notFinite(example: number) }
                for (row, target) in try targets(of: examples[number], kind) {
                    let range = row * scores.columns..<(row + 1) * scores.columns
                    guard range.upperBound <= scores.elements.count, target >= 0, target < scores.columns else {
                        throw EvaluationError.labelOutOfRange(label: target, classes: scores.columns)
                    }
                    let line = scores.elements[range]
                    let best = line.max() ?? 0
                    hits += line[range.lowerBound + target] == best ? 1 : 0
                    loss += best + log(line.reduce(0.0) { $0 + exp($1 - best) }) - line[range.lowerBound + target]
                    count += 1
                }
            }
            progress?(batch.upperBound)
        }
        guard count > 0 else { throw EvaluationError.nothingToScore }
        return Scores(
            accuracy: Double(hits) / Double(count), loss: loss / Double(count), count: count,
            unit: isClassifier ? "examples" : "next tokens")
    }

    private var isClassifier: Bool { if case .classifier = model.architecture.head { true } else { false } }

    /// One matrix of scores for each example; of several models the logarithms of their mean probabilities.
    private func scores(_ inputs: ModelInputs) throws -> [(OutputKind, Matrix<Double>)] {
        let first = try scores(inputs, of: model)
        guard models.count > 1 else { return first }
        var sums = first.map(\.1.probabilities.elements)
        for other in models.dropFirst() {
            for (number, (_, scores)) in try scores(inputs, of: other).enumerated() where number < first.count {
                let expected = first[number].1
                guard scores.rows == expected.rows, scores.columns == expected.columns else {
                    throw EvaluationError.otherScores(found: scores.columns, expected: expected.columns)
                }
                for (place, value) in scores.probabilities.elements.enumerated() { sums[number][place] += value }
            }
        }
        return zip(first, sums).map { first, sums in
            // What all models hold for impossible stays the least of all, and finite.
            let logarithms = sums.map { log(max($0, .leastNormalMagnitude)) }
            return (first.0, Matrix(rows: first.1.rows, columns: first.1.columns, elements: logarithms))
        }
    }

    private func scores(_ inputs: ModelInputs, of model: Model) throws -> [(OutputKind, Matrix<Double>)] {
        if inDouble {
            let output = try model.double(inputs)
            return output.values.map { (output.kind, $0) }
        }
        let output = try model.single(inputs)
        return output.values.map { (output.kind, Matrix<Double>($0)) }
    }

    /// Rows of scores and what they should prefer.
    private func targets(of example: Example, _ kind: OutputKind) throws -> [(row: Int, target: Int)] {
        switch kind {
        case .classes:
            guard let label = example.label else { throw EvaluationError.noLabel }
            return [(0, label)]
        case .logits:
            guard let decoder = model.architecture.stacks.last, decoder.isCausal else {
                throw EvaluationError.notScorable(family: model.architecture.family)
            }
            let tokens = decoder.readsEncoder ? example.inputs.decoderTokens : example.inputs.tokens
            return (tokens.first ?? []).enumerated().dropFirst().map { ($0.offset - 1, $0.element) }
        case .states, .similarities: throw EvaluationError.notScorable(family: model.architecture.family)
        }
    }
}

extension Matrix<Double> {
    /// The softmax of each row.
    fileprivate var probabilities: Matrix {
        var elements = self.elements
        for start in stride(from: 0, to: elements.count, by: max(columns, 1)) {
            let row = start..<start + columns
            let best = elements[row].max() ?? 0
            for place in row { elements[place] = exp(elements[place] - best) }
            let sum = elements[row].reduce(0, +)
            for place in row { elements[place] /= sum }
        }
        return Matrix(rows: rows, columns: columns, elements: elements)
    }
}

/// Why a model could not be scored on some data.
public enum EvaluationError: Error, Sendable, Equatable {
    case noLabel
    case nothingToScore
    case noPerplexity
    case labelOutOfRange(label: Int, classes: Int)
    case notScorable(family: String)
    case notFinite(example: Int)
    /// Models of an ensemble have other classes.
    case otherScores(found: Int, expected: Int)
}

extension EvaluationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noLabel: "an example has no label; add \"label\" to each line, or a tensor labels"
        case .nothingToScore: "there is nothing to score; sequences need at least two tokens"
        case .noPerplexity: "a classifier has no perplexity; ask for its accuracy or loss"
        case .labelOutOfRange(let label, let classes):
            "label \(label) lies outside of the model's \(classes) classes; use the numbering of config.json's id2label"
        case .notFinite(let example):
            "the scores of example \(example) (from 0) are not finite; the weights or inputs hold NaN or infinite values, or overflow"
        case .otherScores(let found, let expected):
            "two models of an ensemble give \(found) and \(expected) scores; give models of one task"
        case .notScorable(let family):
            "this \(family) model gives neither classes nor next tokens; give a classifier or a causal language model"
        }
    }
}
