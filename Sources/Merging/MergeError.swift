import Foundations

/// What can stop a merge.
public enum MergeError: Error, Sendable, Equatable {
    case noModels
    case missingBase(method: String)
    /// Models besides the base.
    case otherCount(method: String, found: Int, expected: ClosedRange<Int>)
    case namedTwice(String)
    case missingParameter(String, method: String, model: String?, tensor: String)
    case unknownModule(String, known: [String])
    case severalStacks(path: String, prefixes: [String])
    case noLayer(path: String, layer: Int)
    /// A slice of different layers, and the base is none of its sources.
    case noBaseLayers(base: String)
    case noLayerCount(path: String, keys: [String])
    /// What layers make where they are stacked is no model of the family.
    case noStack(path: String, reason: String)
    /// Two models are none of one architecture.
    case otherArchitecture(path: String, found: String, first: String, expected: String)
    case missingTensor(path: String, tensor: String, first: String)
    case otherShape(path: String, tensor: String, found: [Int], first: String, expected: [Int])
    /// Numbers that are not computed in, such as positions, have to be the same in all models.
    case otherConstants(path: String, tensor: String, first: String)
    case nonFinite(path: String, tensor: String)
    case overflow(tensor: String, type: String)
    case directionsCancel(tensor: String)
    /// An entry that is drawn with density ± epsilon.
    case noProbability(tensor: String, density: Double, epsilon: Double)
    /// A model comes without what the method needs beside it.
    case missingEvidence(model: String, method: String, evidence: MergeMethod.Evidence)
    case missingFisher(path: String, tensor: String, model: String)
    case otherFisherShape(path: String, tensor: String, found: [Int], model: String, expected: [Int])
    /// A table whose rows are matched by token.
    case fisherOfOtherRows(path: String, tensor: String)
    /// Fisher information is a mean of squares.
    case noFisher(path: String, tensor: String)
    case noCalibration(path: String)
    case inputsNotFinite(model: String, tensor: String)
    /// Inputs leave directions out, so that no map is the best.
    case undetermined(tensor: String)
    /// A result that is no sum of terms, one for each model.
    case noTerms(method: String)
    case notMerged(String, known: [String])
    /// The model that is to be rebuilt.
    case noTask(Double, models: Int)
    /// What is asked of a parameter is none of its values.
    case otherValue(String, method: String, found: Double, expected: String)
    /// More models are to be chosen than there are.
    case tooFewToChoose(Int, models: Int)
    /// The method keeps every model, and makes no weights of one.
    case noCheckpoint(method: String)
    /// A model has no tables of tokens that are known.
    case noVocabulary(path: String)
    case noTokenizer(path: String)
    /// A tokenizer is there in a form that is not merged.
    case otherTokenizer(path: String, file: String)
    case invalidTokenizer(path: String, reason: String)
    /// What a token's row is taken from is no model that is merged there.
    case noTokenSource(token: String, model: String, known: [String])
    case noTokenRow(token: String, model: String, row: String)
    /// config.json cannot be made to say how many rows the tables have.
    case vocabularyNotStated(path: String, reason: String)
}

extension MergeError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noModels: "nothing to merge: name one model at least"
        case .missingBase(let method):
            "the method \(method) needs the base model that the others come from; name it as base_model"
        case .otherCount(let method, let found, let expected):
            "the method \(method) merges \(Self.spelled(expected)) besides the base, found \(found); name as many"
        case .namedTwice(let model): "model \(model) is named twice among those that are merged; name it once"
        case .missingParameter(let name, let method, let model, let tensor):
            "parameter \(name) of \(method) is missing for \(model.map { "\($0), " } ?? "")tensor \(tensor); give it to \(model == nil ? "the whole" : "each model"), or without a filter"
        case .unknownModule(let name, let known):
            "module \(name) is none of the model's; its modules are \(known.joined(separator: ", ")), and only models with one can be merged by modules"
        case .severalStacks(let path, let prefixes):
            "\(path): layers are counted in \(prefixes.isEmpty ? "no place" : prefixes.joined(separator: " and ")); slices are for models with one stack of layers"
        case .noLayer(let path, let layer):
            "\(path): layer \(layer) is not there; choose a layer_range that lies inside"
        case .noBaseLayers(let base):
            "the sources of a slice are different layers, and which of \(base) are their base's is not said; name it among them with its layer_range"
        case .noLayerCount(let path, let keys):
            "\(path)/config.json says nowhere how many layers there are (\(keys.joined(separator: ", "))); slices are not for this model"
        case .noStack(let path, let reason):
            "layers stacked so make no model that can be read, with config.json as \(path) has it and their number changed: \(reason); choose other slices"
        case .otherArchitecture(let path, let found, let first, let expected):
            "\(path): architecture \(found), but \(first) is \(expected); merge models of one architecture"
        case .missingTensor(let path, let tensor, let first):
            "\(path): tensor \(tensor) is missing, which \(first) holds; merge models with the same tensors"
        case .otherShape(let path, let tensor, let found, let first, let expected):
            "\(path): tensor \(tensor) has shape \(found), but \(expected) in \(first); merge models of one shape and vocabulary"
        case .otherConstants(let path, let tensor, let first):
            "\(path): tensor \(tensor) holds other numbers than in \(first), which are not averaged; make them alike"
        case .nonFinite(let path, let tensor):
            "\(path): tensor \(tensor) holds NaN or infinite values; repair the checkpoint"
        case .overflow(let tensor, let type):
            "tensor \(tensor): a merged value does not fit into \(type); choose smaller weights"
        case .directionsCancel(let tensor):
            "tensor \(tensor): the weighted directions of the models cancel, so that there is no mean; choose other weights"
        case .noProbability(let tensor, let density, let epsilon):
            "tensor \(tensor): density \(density) ± epsilon \(epsilon) leaves the numbers between 0 and 1; choose a smaller epsilon"
        case .missingEvidence(let model, let method, let evidence):
            "the method \(method) needs \(evidence.sentence) of each model, and \(model) has none; give it as \(evidence.rawValue) beside model"
        case .missingFisher(let path, let tensor, let model):
            "\(path): tensor \(tensor) is missing, which \(model) holds; write the Fisher information of every weight under its name"
        case .otherFisherShape(let path, let tensor, let found, let model, let expected):
            "\(path): tensor \(tensor) has shape \(found), but \(expected) in \(model); write the Fisher information of this model's weights"
        case .fisherOfOtherRows(let path, let tensor):
            "\(path): the rows of tensor \(tensor) are matched by token, and its Fisher information is not; merge by fisher models of one vocabulary, without tokenizer settings"
        case .noFisher(let path, let tensor):
            "\(path): tensor \(tensor) holds values that are negative, infinite or NaN, and is no Fisher information, a mean of squares; write it anew"
        case .noCalibration(let path):
            "\(path) holds no inputs; give examples that the model reads"
        case .inputsNotFinite(let model, let tensor):
            "\(model): what tensor \(tensor) reads overflows on the calibration data; check the model and the data"
        case .undetermined(let tensor):
            "tensor \(tensor): the calibration data leave directions of its inputs out; give more examples, or a reduce_non_diag below 1"
        case .noTerms(let method):
            "the method \(method) adds no term of its own for each model, so that none can be taken out; mdm_oc does"
        case .notMerged(let name, let known):
            "model \(PrintableText.line(name)) is none of those that are merged besides the base: \(known.joined(separator: ", ")); name one of them"
        case .noTask(let task, let models):
            "task \(task == task.rounded() ? "\(Int(exactly: task) ?? 0)" : "\(task)") is none of the \(models) models besides the base; name one by its place from 1 to \(models)"
        case .otherValue(let name, let method, let found, let expected):
            "\(name) of \(method) is \(found), expected \(expected); give it such a value"
        case .tooFewToChoose(let chosen, let models):
            "top_k is \(chosen), and there \(models == 1 ? "is 1 model" : "are \(models) models") besides the base to choose from; choose no more than there are"
        case .noCheckpoint(let method):
            "the method \(method) keeps every model and routes each token among them, so that there is no checkpoint to write; name it under merges of an audit, which evaluates it"
        case .noVocabulary(let path):
            "\(path): no tensor is known to count tokens, so that no tokenizer can be chosen; leave tokenizer and tokenizer_source out"
        case .noTokenizer(let path):
            "\(path)/tokenizer.json is missing, which says what the rows of the tables are; save the model's tokenizer there"
        case .otherTokenizer(let path, let file):
            "\(path) has \(file) and no tokenizer.json, which alone is merged; save the model's tokenizer there with transformers' AutoTokenizer"
        case .invalidTokenizer(let path, let reason): "\(path): \(reason); save the tokenizer anew"
        case .noTokenSource(let token, let model, let known):
            "token \(Tokenizer.quoted(token)) is to have its row from \(PrintableText.line(model)), which is not merged there; name one of \(known.joined(separator: ", "))"
        case .noTokenRow(let token, let model, let row):
            "token \(Tokenizer.quoted(token)) is to have its row from \(model), which has no row for \(row); choose another source"
        case .vocabularyNotStated(let path, let reason):
            "with as many tokens as the merged vocabulary has, and config.json as \(path) has it, this is no model that can be read: \(reason); choose another tokenizer_source"
        }
    }

    private static func spelled(_ range: ClosedRange<Int>) -> String {
        let least = "\(range.lowerBound) model\(range.lowerBound == 1 ? "" : "s")"
        return range.upperBound == range.lowerBound
            ? "exactly \(least)"
            : range.upperBound == .max ? "\(least) or more" : "\(range.lowerBound) to \(range.upperBound) models"
    }
}

extension MergeMethod.Evidence {
    fileprivate var sentence: String {
        switch self {
        case .none: "nothing"
        case .fisher: "the Fisher information"
        case .calibration: "calibration data"
        }
    }
}
