import Alignment
import Checkpoints
import ForwardPass
import Foundations
import Protections
import Symmetries
import TestSupport
import Testing

/// A folder where models are locked, and what tells two of them apart.
struct Workplace {
    static let key = SecretKey(bytes: [UInt8](repeating: 7, count: 32))
    static let otherKey = SecretKey(bytes: [UInt8](repeating: 9, count: 32))
    let folder: TemporaryDirectory

    init() throws { folder = try TemporaryDirectory() }

    /// ‖W' - W‖ / ‖W‖ over all floating weights.
    func distance(_ checkpoint: Checkpoint, _ original: Checkpoint) throws -> Double {
        var (difference, size) = (0.0, 0.0)
        for tensor in original.tensors.values where tensor.type.isComputable {
            let other = try #require(checkpoint.tensors[tensor.name])
            let (a, b) = (checkpoint.content(of: other), original.content(of: tensor))
            let (x, y) = (other.type.doubles(in: a.bytes), tensor.type.doubles(in: b.bytes))
            for (x, y) in zip(x, y) {
                difference += (x - y) * (x - y)
                size += y * y
            }
            withExtendedLifetime((a, b)) {}
        }
        return (difference / size).squareRoot()
    }

    /// The same key and methods take any model of one family into the same coordinates.
    func protect(
        _ own: Checkpoint, _ methods: [ProtectionMethod], sampler: Sampler? = nil, key: SecretKey = Self.key,
        to name: String = "p"
    ) throws -> Checkpoint {
        var steps = methods.map(StepOptions.init(method:))
        steps[0].sampler = sampler
        var options = ProtectionOptions(steps[0], then: Array(steps.dropFirst()))
        (options.nonce, options.writesCard) = (.zero, false)
        Files.remove(folder(name))
        _ = try Protector.unsynchronized.protect(own, to: folder(name), key: key, options: options)
        return try Checkpoint(opening: folder(name))
    }

    /// Of what two models compute, relative to the second's.
    func difference(_ a: Checkpoint, _ b: Checkpoint) throws -> Double {
        let inputs = ModelInputs(tokens: [[3, 14, 15, 9, 2, 6]])
        let (x, y) = (
            try Model(a).double(inputs).values.flatMap(\.elements),
            try Model(b).double(inputs).values.flatMap(\.elements)
        )
        let square = zip(x, y).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
        return (square / y.reduce(0) { $0 + $1 * $1 }).squareRoot()
    }

    /// A checkpoint whose tensors are made, written.
    func written(_ checkpoint: Checkpoint, to name: String) throws -> Checkpoint {
        Files.remove(folder(name))
        try CheckpointWriter(threads: 1).write(
            .keepingShards(of: checkpoint, dropping: [Checkpoint.manifestName]), to: folder(name))
        return try Checkpoint(opening: folder(name))
    }

    /// (a + b) / 2 of stored weights.
    func mean(_ a: Checkpoint, _ b: Checkpoint, to name: String) throws -> Checkpoint {
        var model = try EditableModel(reading: a.path)
        let other = try EditableModel(reading: b.path)
        for tensor in model.tensors where tensor.type.isComputable {
            let values = try other.floats(tensor.name)
            try model.editFloats(tensor.name) { own in
                for place in own.indices { own[place] = (own[place] + values[place]) / 2 }
            }
        }
        Files.remove(folder(name))
        return try Checkpoint(opening: try model.write(to: folder(name)))
    }

    /// Channels within heads are found to have changed places, and nothing else.
    func expectPermutations(ofValues report: Aligner.Report) {
        for site in report.sites where site.kind == .valueOutput {
            guard case .linear(let element)? = report.estimates[site.path]?.element else {
                Issue.record("\(site.path) has no matrix")
                continue
            }
            #expect(element.matrix.elements.count { $0 == 1 } == element.matrix.rows)
            #expect(element.matrix.elements.count { $0 == 0 } == element.matrix.rows * (element.matrix.rows - 1))
        }
    }
}
