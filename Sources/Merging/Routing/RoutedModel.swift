import Architectures
import Checkpoints
import ForwardPass
import Foundations
import LinearAlgebra
import Synchronization

/// Models merged by SMILE: the base with every model's difference beside its linear maps, to be evaluated.
///
/// Differences are decomposed ahead, as many side by side as there are threads, each in f64: 8(mn + 2 min(m, n)²) bytes and a little more; those of
/// more than 2²² values one after the other. What is kept of each map and model are 4(g·n + k·(m + n)) bytes: of whole differences, which are read
/// where the models' weights lie, those of the gate alone.
package struct RoutedModel {
    private let base: Checkpoint
    /// What stands for the base where all but its maps are averaged.
    private let averaged: MergedModel?
    private let maps: [ActivationPoint.StoredMap: RoutedMap]

    /// - Parameters:
    ///   - models: those beside the base, with the same tensors as it has.
    ///   - architecture: which tensors are linear maps of layers; those that the base lacks are none of it.
    ///   - parameters: of `MergeMethod.smile`.
    ///   - keeping: whether averages stay in memory once they are made.
    /// - Throws: `MergeError`.
    package init(
        _ models: [Checkpoint], base: Checkpoint, architecture: Architecture, parameters: [String: Double] = [:],
        keeping: Bool, threads: Int?
    ) throws {
        let said = try SMILEParameters(parameters, models: models.count)
        BLASThreads.use(1)
        let names = models.indices.map { "\($0 + 1)" }
        let named = Dictionary(zip(names, models)) { first, _ in first }.merging(["0": base]) { $1 }
        let plan = try MergePlan(
            MergeConfiguration(.smile, names.map { MergeConfiguration.Source($0) }, base: "0"), models: named,
            byName: true)
        let tensors = Dictionary(plan.items.map { ($0.spec.name, $0.inputs) }) { first, _ in first }
        var known: Set<ActivationPoint.StoredMap> = []
        let projections = architecture.layerProjections.filter {
            tensors[$0.weight] != nil && known.insert($0.storedMap).inserted
        }
        maps = try Self.maps(projections, tensors, models, said, threads: WorkerThreads.count(threads))
        self.base = base
        averaged =
            said.averagesExperts
            ? try Self.average(
                models, base: base, without: projections.flatMap { [$0.weight, $0.bias].compactMap(\.self) },
                keeping: keeping, threads: threads) : nil
    }

    /// The mean of the models, but for some of the base's tensors.
    private static func average(
        _ models: [Checkpoint], base: Checkpoint, without kept: [String], keeping: Bool, threads: Int?
    ) throws -> MergedModel {
        let conditions =
            Set(kept).sorted().map { MergeSetting.Condition(filter: $0, .value(0)) }
            + [MergeSetting.Condition(filter: nil, .value(1 / Double(max(models.count, 1))))]
        return try MergedModel(
            .taskArithmetic, models.map { .init($0, settings: ["weight": .conditions(conditions)]) }, base: base,
            keeping: keeping, threads: threads)
    }

    private static func maps(
        _ projections: [Projection], _ tensors: [String: [MergeInput]], _ models: [Checkpoint], _ said: SMILEParameters,
        threads: Int
    ) throws -> [ActivationPoint.StoredMap: RoutedMap] {
        let count = models.count
        let found = Mutex<[Int: Expert]>([:])
        try WorkerThreads.forEach(projections.count * count, threads: threads) { number, _ in
            let (map, model) = (projections[number / count], number % count)
            let expert = try MatrixWork.inTurn(map.storedOutputs * map.inputCount) {
                try self.expert(map, model, tensors, models[model], said, isAlone: count == 1)
            }
            found.withLock { $0[number] = expert }
        }
        let experts = found.withLock { $0 }
        var maps: [ActivationPoint.StoredMap: RoutedMap] = [:]
        for (place, map) in projections.enumerated() {
            let own = (0..<count).compactMap { experts[place * count + $0] }
            // A map whose weights no model changed stays the base's, its bias with it.
            guard own.contains(where: \.isChanged) else { continue }
            maps[map.storedMap] = RoutedMap(own.map(\.part), choosing: said.chosen)
        }
        return maps
    }

    private struct Expert {
        let part: RoutedMap.Expert
        /// Whether its weights are others than the base's.
        let isChanged: Bool
    }

    private static func expert(
        _ map: Projection, _ model: Int, _ tensors: [String: [MergeInput]], _ checkpoint: Checkpoint,
        _ said: SMILEParameters, isAlone: Bool
    ) throws -> Expert? {
        // The base's is the last.
        guard let inputs = tensors[map.weight], let base = inputs.last, model < inputs.count - 1 else { return nil }
        let biases = map.bias.flatMap { tensors[$0] }
        let difference = try MapDifference(
            of: map, in: inputs[model], from: base,
            bias: biases.flatMap { all in all.last.map { (all[model], $0) } })
        let isWhole = said.rank.map { $0 >= min(map.storedOutputs, map.inputCount) } ?? true
        // One model alone is always chosen.
        let (gate, rank) = (isAlone ? 0 : said.gateRank, isWhole ? 0 : said.rank ?? 0)
        let parts = try difference.parts(gate: gate, rank: rank)
        let addition: RoutedMap.Addition =
            isWhole
            ? .whole(Weights(checkpoint)) : .factors(left: parts.left, right: parts.right, bias: difference.bias)
        return Expert(part: .init(gate: parts.gate, addition), isChanged: !difference.isZero)
    }

    /// What is found of the model: of a body, and of what is added to its linear maps.
    /// - Throws: why a tensor that was asked for could not be made.
    package func checked<Result>(
        _ find: (Checkpoint, [ActivationPoint.StoredMap: RoutedMap]) throws -> Result
    ) throws -> Result {
        guard let averaged else { return try find(base, maps) }
        return try averaged.checked { try find($0, maps) }
    }
}
