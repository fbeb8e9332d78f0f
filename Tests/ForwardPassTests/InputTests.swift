import Checkpoints
import Evaluation
import ForwardPass
import TestSupport
import Testing

/// Inputs that no model can read: each ends in an error that says what is wrong, none in a trap.
@Suite struct InputTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func model(_ name: String) throws -> Model {
        try Model(Checkpoint(opening: Fixtures.path(name)), threads: 1)
    }

    private func error(_ name: String, _ inputs: ModelInputs) throws -> ForwardError? {
        do {
            _ = try model(name).single(inputs)
            return nil
        } catch let error as ForwardError {
            #expect(!error.description.contains("\n") && error.description.count > 20)
            return error
        }
    }

    // MARK: Tokens

    @Test(arguments: [-1, 61, .max, .min])
    func tokensOutOfRange(token: Int) throws {
        let expected = ForwardError.tokenOutOfRange(token: token, vocabulary: 61)
        #expect(try error("llama", ModelInputs(tokens: [[1, token]])) == expected)
        #expect(try error("t5", ModelInputs(tokens: [[1]], decoderTokens: [[token]])) == expected)
        #expect(try error("clip", ModelInputs(tokens: [[token]])) == expected)
    }

    @Test(arguments: [-1, 2, .max, .min])
    func typesOutOfRange(type: Int) throws {
        #expect(
            try error("bert", ModelInputs(tokens: [[1, 2]], types: [[0, type]]))
                == .typeOutOfRange(type: type, types: 2))
    }

    @Test(arguments: [[[0]], [[0, 0, 0]], [[0, 0], [0]], [[], [0, 0]]])
    func typesOfAnotherShape(types: [[Int]]) throws {
        #expect(
            try error("bert", ModelInputs(tokens: [[1, 2]], types: types))
                == .typesDoNotFit(tokens: [2], types: types.map(\.count)))
    }

    @Test func sequences() throws {
        #expect(try error("llama", ModelInputs(tokens: [[1], []])) == .emptySequence)
        #expect(try error("t5", ModelInputs(tokens: [[1]], decoderTokens: [[]])) == .emptySequence)
        let long = [Int](repeating: 1, count: 33)
        #expect(try error("bert", ModelInputs(tokens: [long])) == .sequenceTooLong(length: 33, maximum: 32))
        #expect(try error("gpt2", ModelInputs(tokens: [long])) == .sequenceTooLong(length: 33, maximum: 32))
    }

    @Test(arguments: ["llama", "bert", "t5", "vit", "clip", "whisper", "siglip"])
    func inputsOfAnotherKind(name: String) throws {
        let pixels = PixelArray(shape: [1, 2, 3], values: [Float](repeating: 0, count: 6))
        let inputs = [
            ModelInputs(), ModelInputs(decoderTokens: [[1]]),
            name == "llama" || name == "bert" ? ModelInputs(pixels: [pixels]) : ModelInputs(tokens: [[1]]),
        ]
        for inputs in inputs {
            guard case .wrongInputs? = try error(name, inputs) else {
                Issue.record("\(name) reads \(inputs)")
                continue
            }
        }
    }

    @Test func asManyDecodersAsEncoders() throws {
        guard case .wrongInputs? = try error("t5", ModelInputs(tokens: [[1], [2]], decoderTokens: [[1]])) else {
            Issue.record("read")
            return
        }
    }

    // MARK: Pixels and sound

    @Test(arguments: [[3, 16, 15], [1, 16, 16], [3, 256], [768], [3, 16, 16, 1], [0, 16, 16]])
    func imagesOfAnotherShape(shape: [Int]) throws {
        let image = PixelArray(shape: shape, values: [Float](repeating: 0, count: shape.reduce(1, *)))
        #expect(try error("vit", ModelInputs(pixels: [image])) == .imageShape(expected: [3, 16, 16], found: shape))
    }

    /// transformers takes whole spectrograms alone.
    @Test func soundOfAnotherShape() throws {
        let reference = try RecordedReference("whisper").inputs
        let shape = reference.pixels[0].shape
        for found in [
            [shape[0], 0], [shape[0], shape[1] - 2], [shape[0], shape[1] + 1], [shape[1], shape[0]], [shape[0]],
        ] {
            let sound = PixelArray(shape: found, values: [Float](repeating: 0, count: found.reduce(1, *)))
            #expect(
                try error("whisper", ModelInputs(decoderTokens: [[1]], pixels: [sound]))
                    == .soundShape(expected: shape, found: found))
        }
    }

    @Test func pixelsThatAreNoNumbers() throws {
        let image = PixelArray(shape: [3, 16, 16], values: [Float](repeating: .nan, count: 768))
        let output = try model("vit").single(ModelInputs(pixels: [image]))
        #expect(output.values[0].elements.allSatisfy { $0.isNaN })
        #expect(throws: EvaluationError.notFinite(example: 0)) {
            try ModelEvaluation(model: try model("vit"))
                .evaluate([.init(inputs: ModelInputs(pixels: [image]), label: 1)], .accuracy)
        }
    }

    // MARK: Generation

    @Test func generation() throws {
        let gpt2 = try model("gpt2")
        #expect(try gpt2.generate(ModelInputs(tokens: [[1, 2]]), count: 0).isEmpty)
        #expect(try gpt2.generate(ModelInputs(tokens: [[1, 2]]), count: .min).isEmpty)
        #expect(try gpt2.generate(ModelInputs(tokens: [[1, 2]]), count: 31).count == 31)
        for count in [32, .max] {
            #expect(throws: ForwardError.tooManyTokens(prompt: 2, count: count, maximum: 32)) {
                try gpt2.generate(ModelInputs(tokens: [[1, 2]]), count: count)
            }
        }
        let long = [Int](repeating: 1, count: 33)
        #expect(throws: ForwardError.tooManyTokens(prompt: 33, count: 1, maximum: 32)) {
            try gpt2.generate(ModelInputs(tokens: [long]), count: 1)
        }
        #expect(throws: ForwardError.severalPrompts(count: 2)) {
            try self.model("llama").generate(ModelInputs(tokens: [[1], [2]]), count: 3)
        }
        #expect(throws: ForwardError.emptySequence) { try gpt2.generate(ModelInputs(tokens: [[]]), count: 3) }
        for inputs in [ModelInputs(), ModelInputs(tokens: [[1]])] {
            #expect(throws: ForwardError.self) { try model("t5").generate(inputs, count: 3) }
        }
        #expect(throws: ForwardError.self) { try model("bert").generate(ModelInputs(tokens: [[1]]), count: 1) }
    }
}

/// Files of inputs.
@Suite struct InputFileTests {
    private let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    private func lines(_ text: String) throws -> InputError? {
        try Files.write(text, to: folder("x.jsonl"))
        do {
            _ = try ModelInputs.lines(reading: folder("x.jsonl"))
            return nil
        } catch let error as InputError { return error }
    }

    @Test(arguments: [
        "{", "null", "5", "\"x\"", "[]", "{}", "[1.5]", "[1, \"x\"]", "[[1]]", "[1e3]", "[9223372036854775808]",
        #"{"input_ids": null}"#, #"{"input_ids": []}"#, #"{"input_ids": {"x": 1}}"#, #"{"input_ids": [true]}"#,
        #"{"input_ids": [1], "token_type_ids": [0, 0]}"#, #"{"input_ids": [1], "token_type_ids": "0"}"#,
        #"{"input_ids": [1], "decoder_input_ids": []}"#, #"{"input_ids": [1], "label": "cat"}"#,
        #"{"input_ids": [1], "label": 1.5}"#,
    ])
    func aLineThatIsNoneIsNamed(line: String) throws {
        guard case .line(_, 3, _)? = try lines("[1, 2]\n\n\(line)\n[1]\n") else {
            Issue.record("\(line) is read")
            return
        }
    }

    @Test func whatIsThereIsRead() throws {
        try Files.write(
            "[1, 2]\r\n \n{\"input_ids\": [3], \"token_type_ids\": [1], \"label\": 2}", to: folder("x.jsonl"))
        let examples = try ModelInputs.lines(reading: folder("x.jsonl"))
        #expect(examples.map(\.label) == [nil, 2])
        let joined = ModelInputs(joining: examples.map(\.inputs))
        #expect(joined == ModelInputs(tokens: [[1, 2], [3]], types: [[0, 0], [1]]))
        #expect(try lines("") == .unreadable(file: folder("x.jsonl")))
        #expect(try lines("\n \n") == .unreadable(file: folder("x.jsonl")))
        #expect(throws: InputError.unreadable(file: folder("none"))) { try ModelInputs.lines(reading: folder("none")) }
        #expect(throws: InputError.unreadable(file: folder.path)) { try ModelInputs.lines(reading: folder.path) }
    }

    private func tensors(
        _ entries: [(name: String, type: String, shape: [Int], bytes: [UInt8])]
    ) throws -> (any Error)? {
        var builder = SafetensorsBuilder()
        builder.entries = entries
        try Files.write(builder.build(), to: folder("x.safetensors"))
        do {
            _ = try ModelEvaluation.examples(reading: folder("x.safetensors"))
            return nil
        } catch { return error }
    }

    private func integers(_ values: [Int64]) -> [UInt8] { values.withUnsafeBytes { Array($0) } }

    @Test func tensorsOfAnotherShape() throws {
        let two = integers([1, 2])
        let wrong: [(name: String, type: String, shape: [Int], bytes: [UInt8])] = [
            ("input_ids", "I64", [2], two), ("input_ids", "I64", [], integers([1])),
            ("input_ids", "I64", [1, 1, 2], two),
            ("input_ids", "F64", [1, 2], two), ("input_ids", "I64", [1 << 60, 0], []),
            ("input_ids", "I64", [0, 5], []),
            ("attention_mask", "BOOL", [1, 2], [1, 1]), ("token_type_ids", "I64", [2], two),
            ("decoder_input_ids", "I64", [2], two), ("pixel_values", "F32", [2], integers([0])),
            ("pixel_values", "F32", [1, 2], integers([0])), ("pixel_values", "I64", [1, 1, 2], two),
            ("pixel_values", "F32", [0, 1 << 60, 1 << 60], []), ("pixel_values", "F32", [1 << 60, 0, 1], []),
            ("pixel_values", "F32", [1, 1, 1, 1, 2], integers([0])), ("labels", "I64", [1, 2], two),
            ("labels", "F64", [2], two), ("labels", "I64", [2], two),
        ]
        for entry in wrong {
            let error = try tensors([entry])
            // Extents whose product no integer holds are the header's to refuse.
            if let error = error as? InputError, case .shape(_, let tensor, _) = error {
                #expect(tensor == entry.name)
            } else {
                #expect(error is CheckpointError, "\(entry.name) \(entry.shape): \(String(describing: error))")
            }
        }
    }

    @Test func masks() throws {
        let ids = (name: "input_ids", type: "I64", shape: [2, 2], bytes: integers([1, 2, 3, 4]))
        func read(_ shape: [Int], _ mask: [Int64]) throws -> ModelInputs {
            var builder = SafetensorsBuilder()
            builder.entries = [ids, ("attention_mask", "I64", shape, integers(mask))]
            try Files.write(builder.build(), to: folder("m.safetensors"))
            return try ModelInputs(reading: folder("m.safetensors"))
        }
        #expect(try read([2, 2], [1, 1, 1, 0]).tokens == [[1, 2], [3]])
        #expect(throws: InputError.self) { try read([2, 2], [0, 1, 1, 1]) }
        #expect(throws: InputError.self) { try read([1, 2], [1, 1]) }
        #expect(throws: InputError.self) { try read([2, 1], [1, 1]) }
        // A mask that hides everything leaves a sequence of no tokens.
        let empty = try read([2, 2], [1, 1, 0, 0])
        #expect(throws: ForwardError.emptySequence) {
            try Model(Checkpoint(opening: Fixtures.path("bert")), threads: 1).single(empty)
        }
    }

    @Test(arguments: [-1, 3, Int.max, .min])
    func labelsOutOfRange(label: Int) throws {
        let model = try Model(Checkpoint(opening: Fixtures.path("roberta")), threads: 1)
        #expect(throws: EvaluationError.labelOutOfRange(label: label, classes: 3)) {
            try ModelEvaluation(model: model)
                .evaluate([.init(inputs: ModelInputs(tokens: [[4, 5]]), label: label)], .accuracy)
        }
    }
}
