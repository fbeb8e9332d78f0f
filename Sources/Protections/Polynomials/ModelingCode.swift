import Architectures
import Checkpoints
import Foundations

/// The code that lets transformers load a model whose activations are polynomials, and what config.json says of it.
struct ModelingCode {
    private static let module = "modeling_mergebarrier"

    /// The class of the whole model.
    private let own: String
    /// The classes that load it, by those of transformers.
    private let classes: JSONObject
    let file: OutputPlan.Generated

    /// - Parameter architectures: the native classes, as config.json names them.
    init(architectures: JSONValue, path: String) throws(ProtectionError) {
        let native = architectures.array?.first?.string ?? ""
        let isWord = native.utf8.allSatisfy { byte in
            UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte
                || byte == UInt8(ascii: "_")
        }
        guard isWord, !native.isEmpty else {
            throw .noPolynomials(path: path, reason: "config.json's architectures name no class of transformers")
        }
        own = "MergeBarrier" + native
        var classes: JSONObject = ["AutoConfig": .string("\(Self.module).MergeBarrierConfig")]
        let auto = Self.autoClass(native)
        let backbone = own + (auto == nil ? "" : "Backbone")
        classes["AutoModel"] = .string("\(Self.module).\(backbone)")
        if let auto { classes[auto] = .string("\(Self.module).\(own)") }
        self.classes = classes
        let text = (EmbeddedTexts.byPath["Polynomials/\(Self.module).py"]?.description ?? "")
            .replacing("@AUTO_MODEL@", with: backbone).replacing("@CLASS@", with: own).replacing(
                "@ARCHITECTURE@", with: native)
        file = OutputPlan.Generated(name: Self.module + ".py", bytes: Array(text.utf8))
    }

    /// config.json of the model with polynomials, given that of the model with its own activations.
    func config(_ native: JSONValue, _ polynomials: PolynomialActivations) -> JSONValue {
        var object = native.object ?? JSONObject()
        for field in polynomials.fields { object[field.key] = field.value }
        object["architectures"] = .array([.string(own)])
        object["auto_map"] = .object(classes)
        return .object(object)
    }

    /// Which of transformers' automatic classes loads a class, by its name's ending.
    private static func autoClass(_ name: String) -> String? {
        let endings = [
            ("ForCausalLM", "AutoModelForCausalLM"), ("LMHeadModel", "AutoModelForCausalLM"),
            ("ForMaskedLM", "AutoModelForMaskedLM"),
            ("ForSequenceClassification", "AutoModelForSequenceClassification"),
            ("ForTokenClassification", "AutoModelForTokenClassification"),
            ("ForQuestionAnswering", "AutoModelForQuestionAnswering"),
            ("ForImageClassification", "AutoModelForImageClassification"),
            ("ForAudioClassification", "AutoModelForAudioClassification"),
        ]
        if name == "WhisperForConditionalGeneration" { return "AutoModelForSpeechSeq2Seq" }
        if name.hasSuffix("ForConditionalGeneration") { return "AutoModelForSeq2SeqLM" }
        return endings.first { name.hasSuffix($0.0) }?.1
    }
}
