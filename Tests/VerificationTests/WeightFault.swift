import Architectures
import Checkpoints
import LinearAlgebra
import Symmetries
import TestSupport

/// A fault planted at random into a protected model, that the proof from the weights must see.
enum WeightFault: String, CaseIterable, Sendable {
    // In sites.
    case sign, entryDoubled, entryZeroed, smallChannel, channelScaled, channelZeroed, channelCopied, channelsExchanged
    case headTransposed, sliceLeftBehind, biasLeftBehind, tensorLeftBehind, noise
    case headOrder, rotaryLayout, expertOrder, gainForgotten, channelOrder
    // Outside.
    case bitOutside, bitBeside, typeChanged, shapeChanged, tensorMissing, tensorAdded, settingChanged
    // Of exact elements.
    case oneUlp

    private static let planted: [WeightFault: PlantedFault] = [
        .headOrder: .headOrder, .rotaryLayout: .rotaryLayout, .expertOrder: .expertOrder,
        .gainForgotten: .gainForgotten, .channelOrder: .channelOrder,
    ]

    /// Models that have room for it, where few have.
    var homes: [String]? {
        switch self {
        case .expertOrder: ["mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v3_plain", "gpt_oss", "olmoe", "granitemoe"]
        case .gainForgotten: ["qwen3", "qwen3_moe", "olmo2", "gemma3_text"]
        case .rotaryLayout: ["llama", "mistral", "gpt_neox", "gptj", "cohere", "phi", "qwen2", "stablelm"]
        case .biasLeftBehind: ["bert", "gpt2", "opt", "roberta", "vit", "phi", "bloom", "whisper"]
        case .bitBeside:
            ["deepseek_v3", "deepseek_v3_plain", "cohere_qk", "phi_qk", "stablelm_qk", "gpt_neox", "bloom"]
        default: nil
        }
    }

    /// These look for f32 weights.
    var isForSingles: Bool { Self.planted[self] != nil }

    /// Changes the model; false where there is no room for this fault, or it would change nothing beyond rounding.
    func plant(
        in model: inout EditableModel, original: EditableModel, _ architecture: Architecture, isExact: Bool,
        _ stream: inout KeyedRandomStream
    ) throws -> Bool {
        let sound = model
        guard try change(&model, original: original, architecture, isExact: isExact, &stream) else { return false }
        return try isExact || !Self.isRounding(model, of: sound, architecture)
    }

    /// Whether all that sets the models apart is a bias of a site that changed by no more than rounding explains: the tolerance's 4
    /// roundoffs, under scales that lie apart by the condition number 10, and twice that for safety.
    private static func isRounding(
        _ model: EditableModel, of sound: EditableModel, _ architecture: Architecture
    ) throws -> Bool {
        let inSites = Set(architecture.sites.flatMap(\.slices).map(\.tensor))
        guard model.tensors.map(\.name) == sound.tensors.map(\.name) else { return false }
        let pairs = zip(model.tensors, sound.tensors).filter { $0.bytes != $1.bytes }
        return try !pairs.isEmpty
            && pairs.allSatisfy { changed, tensor in
                guard inSites.contains(tensor.name), tensor.shape.count == 1, changed.shape == tensor.shape,
                    changed.type == tensor.type,
                    let roundoff = tensor.type.unitRoundoff
                else { return false }
                let before = try sound.floats(tensor.name)
                let error = zip(try model.floats(tensor.name), before).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
                let norm = before.reduce(0) { $0 + $1 * $1 }
                return error.squareRoot() < 80 * roundoff * norm.squareRoot()
            }
    }

    private func change(
        _ model: inout EditableModel, original: EditableModel, _ architecture: Architecture, isExact: Bool,
        _ stream: inout KeyedRandomStream
    ) throws -> Bool {
        if let planted = Self.planted[self] {
            guard model.tensors.contains(where: { $0.type == .f32 }) else { return false }
            return try planted.plant(in: &model, architecture)
        }
        let inSites = Set(architecture.sites.flatMap(\.slices).map(\.tensor))
        let outside = model.tensors.indices.filter {
            !inSites.contains(model.tensors[$0].name) && !model.tensors[$0].bytes.isEmpty
        }
        let sites = architecture.sites.filter { isExact || $0.kind != .mlp }
        guard !sites.isEmpty else { return false }
        let site = sites[stream.nextIndex(below: sites.count)]
        let slice = site.slices[stream.nextIndex(below: site.slices.count)]
        let channel = slice.start + stream.nextIndex(below: site.group.dimension) * slice.width
        let places = try model.places(slice.tensor, axis: slice.axis, channel, across: slice.across)
        switch self {
        case .sign, .entryDoubled, .entryZeroed, .oneUlp:
            let values = try model.floats(slice.tensor)
            // Of dense elements the largest entry of a channel, so that it is no rounding.
            let largest = places.max { values[$0].magnitude < values[$1].magnitude } ?? 0
            let place = isExact ? places[stream.nextIndex(below: places.count)] : largest
            guard values[place] != 0 else { return false }
            if self == .oneUlp {
                guard isExact else { return false }
                let tensor = try model.index(slice.tensor)
                model.tensors[tensor].bytes[place * model.tensors[tensor].type.bitWidth / 8] ^= 1
                return true
            }
            try model.editFloats(slice.tensor) {
                $0[place] *= self == .sign ? -1 : self == .entryDoubled ? 2 : 0
            }
            return true
        case .smallChannel:
            return try smallChannel(&model, architecture, &stream)
        case .channelScaled, .channelZeroed:
            try model.editFloats(slice.tensor) { for place in places { $0[place] *= self == .channelZeroed ? 0 : 1.5 } }
        case .channelCopied, .channelsExchanged:
            let other = slice.start + stream.nextIndex(below: site.group.dimension) * slice.width
            let others = try model.places(slice.tensor, axis: slice.axis, other, across: slice.across)
            let before = try model.floats(slice.tensor)
            try model.editFloats(slice.tensor) { values in
                for (a, b) in zip(places, others) {
                    values[a] = before[b]
                    if self == .channelsExchanged { values[b] = before[a] }
                }
            }
            let after = try model.floats(slice.tensor)
            return zip(places, others).contains { before[$0] != before[$1] } && after != before
        case .headTransposed:
            guard slice.axis == 0, site.group.dimension > 2, places.count >= site.group.dimension else { return false }
            let columns = places.count
            try model.editFloats(slice.tensor) { values in
                for i in 0..<site.group.dimension {
                    for j in 0..<i {
                        values.swapAt((slice.start + i) * columns + j, (slice.start + j) * columns + i)
                    }
                }
            }
        case .sliceLeftBehind:
            let before = try original.floats(slice.tensor)
            let was = try model.floats(slice.tensor)
            try model.editFloats(slice.tensor) { values in
                for channel in 0..<site.group.dimension * slice.width {
                    for place
                        in (try? original.places(
                            slice.tensor, axis: slice.axis, slice.start + channel, across: slice.across)) ?? []
                    { values[place] = before[place] }
                }
            }
            return try model.floats(slice.tensor) != was
        case .biasLeftBehind, .tensorLeftBehind:
            guard self == .tensorLeftBehind || slice.tensor.hasSuffix("bias") else { return false }
            let place = try model.index(slice.tensor)
            let before = original.tensors[try original.index(slice.tensor)]
            guard model.tensors[place].bytes != before.bytes else { return false }
            model.tensors[place] = before
        case .noise:
            try model.editFloats(slice.tensor) { values in
                for place in places { values[place] *= 1 + 0.2 * stream.nextGaussian() }
            }
        case .bitOutside:
            guard !outside.isEmpty else { return false }
            let tensor = outside[stream.nextIndex(below: outside.count)]
            let byte = stream.nextIndex(below: model.tensors[tensor].bytes.count)
            model.tensors[tensor].bytes[byte] ^= UInt8(1 << stream.nextIndex(below: 8))
        case .bitBeside:
            guard let place = try beside(model, architecture, &stream) else { return false }
            model.tensors[place.tensor].bytes[place.byte] ^= UInt8(1 << stream.nextIndex(below: 8))
        case .typeChanged:
            let tensor = stream.nextIndex(below: model.tensors.count)
            guard model.tensors[tensor].type.bitWidth == 16 else { return false }
            model.tensors[tensor].type = model.tensors[tensor].type == .bf16 ? .f16 : .bf16
        case .shapeChanged:
            let tensor = stream.nextIndex(below: model.tensors.count)
            let shape = model.tensors[tensor].shape
            model.tensors[tensor].shape = shape.count > 1 && shape.reversed() != shape ? shape.reversed() : shape + [1]
        case .tensorMissing: model.tensors.remove(at: stream.nextIndex(below: model.tensors.count))
        case .tensorAdded: model.tensors.append(.init(name: "extra", type: .u8, shape: [1], bytes: [0]))
        case .settingChanged: model.config["layer_norm_epsilon_"] = .double(0.1)
        case .headOrder, .rotaryLayout, .expertOrder, .gainForgotten, .channelOrder: return false
        }
        // Zero channels stay zero.
        return true
    }

    /// A byte of a tensor that sites act on, in an element that none of them does.
    private func beside(
        _ model: EditableModel, _ architecture: Architecture, _ stream: inout KeyedRandomStream
    ) throws -> (tensor: Int, byte: Int)? {
        var touched: [String: Set<Int>] = [:]
        for site in architecture.sites {
            for slice in site.slices {
                for index in 0..<site.group.dimension * slice.width {
                    touched[slice.tensor, default: []].formUnion(
                        try model.places(slice.tensor, axis: slice.axis, slice.start + index, across: slice.across))
                }
            }
        }
        var free: [(tensor: Int, byte: Int)] = []
        for (name, touched) in touched.sorted(by: { $0.key < $1.key }) {
            let tensor = try model.index(name)
            let width = model.tensors[tensor].type.bitWidth / 8
            for place in 0..<model.tensors[tensor].bytes.count / width where !touched.contains(place) {
                free.append((tensor, place * width + stream.nextIndex(below: width)))
            }
        }
        return free.isEmpty ? nil : free[stream.nextIndex(below: free.count)]
    }

    /// One value head's channels rescaled by powers of two against the columns that read them, and then the largest entry of the
    /// smallest channel changed.
    private func smallChannel(
        _ model: inout EditableModel, _ architecture: Architecture, _ stream: inout KeyedRandomStream
    ) throws -> Bool {
        let sites = architecture.sites.filter { $0.kind == .valueOutput }
        let site = sites[stream.nextIndex(below: sites.count)]
        guard case .generalLinear(let n) = site.group, n > 1 else { return false }
        let powers = (0..<n).map { Double(sign: .plus, exponent: $0 % 13 - 6, significand: 1) }
        try model.rescale(site, by: powers)
        guard let slice = site.slices.first(where: { $0.representation == .direct }) else { return false }
        let places = try model.places(slice.tensor, axis: slice.axis, slice.start, across: slice.across)
        try model.editFloats(slice.tensor) { values in
            if let largest = places.max(by: { values[$0].magnitude < values[$1].magnitude }) { values[largest] *= -1 }
        }
        return true
    }
}

extension EditableModel {
    /// Multiplies a site's channels by `powers` where its element acts directly, and by their inverses where it acts dually: the
    /// function stays.
    mutating func rescale(_ site: Site, by powers: [Double]) throws {
        for slice in site.slices {
            let runs = try powers.indices.map {
                try places(slice.tensor, axis: slice.axis, slice.start + $0, across: slice.across)
            }
            try editFloats(slice.tensor) { values in
                for (channel, power) in powers.enumerated() {
                    for place in runs[channel] {
                        switch slice.representation {
                        case .direct: values[place] *= power
                        case .dual: values[place] /= power
                        case .permutation: break
                        }
                    }
                }
            }
        }
    }
}
