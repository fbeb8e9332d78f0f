import Architectures
import Checkpoints
import Foundation
import LinearAlgebra
import Protections
import Symmetries
import TestSupport
import Testing
import Verification

/// Faults of many kinds at random places, and sound models of many keys. `MERGEPROOF_DRAWS` multiplies what is tried.
@Suite struct WeightFaultTests {
    private let folder: TemporaryDirectory
    private static let draws = ProcessInfo.processInfo.environment["MERGEPROOF_DRAWS"].flatMap(Int.init) ?? 1

    init() throws { folder = try TemporaryDirectory() }

    private func model(_ name: String, _ type: ElementType) throws -> EditableModel {
        var model = try EditableModel(reading: Fixtures.path(name))
        try model.round(to: type)
        Files.remove(folder("m"))
        try model.write(to: folder("m"))
        return model
    }

    private func protect(_ source: Checkpoint, _ method: ProtectionMethod, _ sampler: Sampler?, key: UInt8) throws {
        var options = ProtectionOptions(method: method)
        options.sampler = sampler
        if sampler == .gaussian { options.condition = 100 }
        if sampler == .symmetric || sampler == .nonsymmetric { options.condition = 10 }
        Files.remove(folder("p"))
        _ = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](repeating: key, count: 32)), options: options)
    }

    /// Where all elements are exact, a site that was left alone has nothing to be rounded either.
    @Test(arguments: [ElementType.f32, .bf16, .f16])
    func gainsThatWereLeftAlone(type: ElementType) throws {
        _ = try model("olmo3_scaled", type)
        let source = try Checkpoint(opening: folder("m"))
        var options = ProtectionOptions(repeatable: .lossless)
        options.condition = 1
        let report = try Protector.unsynchronized.protect(
            source, to: folder("p"), key: SecretKey(bytes: [UInt8](0..<32)), options: options)
        #expect(!report.manifest.steps.siteKinds.contains(.queryKeyGain))
        var changed = try EditableModel(reading: folder("p"))
        #expect(try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("p"))).holds)
        let gain = try changed.index("model.layers.0.self_attn.q_norm.weight")
        changed.tensors[gain].bytes[0] ^= 1
        try changed.write(to: folder("c"))
        try Files.write(
            try Files.read(folder("p") + "/" + Manifest.fileName), to: folder("c") + "/" + Manifest.fileName)
        #expect(try !AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("c"))).holds)
    }

    /// Every kind of fault in every draw, each in a model, method and type of its own.
    @Test func noFaultIsMissed() throws {
        var counts: [WeightFault: (planted: Int, missed: Int)] = [:]
        var stream = KeyedRandomStream(secret: [], info: "faults")
        let types: [ElementType] = [.f32, .bf16, .f16]
        for _ in 0..<Self.draws {
            for fault in WeightFault.allCases {
                for _ in 0..<24 {
                    let homes = fault.homes ?? Fixtures.recorded
                    let name = homes[stream.nextIndex(below: homes.count)]
                    let type = fault.isForSingles ? .f32 : types[stream.nextIndex(below: types.count)]
                    let isExact = stream.nextIndex(below: 2) == 0
                    let original = try model(name, type)
                    let source = try Checkpoint(opening: folder("m"))
                    let dense: ProtectionMethod =
                        fault.isForSingles || stream.nextIndex(below: 2) == 0 ? .mergelock : .full
                    try protect(source, isExact ? .lossless : dense, nil, key: UInt8(stream.nextIndex(below: 256)))
                    var changed = try EditableModel(reading: folder("p"))
                    let architecture = try Architecture.resolve(source)
                    let before = changed.tensors.map(\.bytes)
                    guard
                        try fault.plant(
                            in: &changed, original: original, architecture, isExact: isExact, &stream),
                        changed.tensors.map(\.bytes) != before || Self.isOutside(fault)
                    else { continue }
                    Files.remove(folder("c"))
                    try changed.write(to: folder("c"))
                    try Files.write(
                        try Files.read(folder("p") + "/" + Manifest.fileName), to: folder("c") + "/" + Manifest.fileName
                    )
                    let report = try AlgebraicVerification(threads: 1).verify(source, Checkpoint(opening: folder("c")))
                    counts[fault, default: (0, 0)].planted += 1
                    if report.holds {
                        counts[fault, default: (0, 0)].missed += 1
                        Issue.record("\(fault) in \(name) \(type) \(isExact ? .lossless : dense)")
                    }
                    break
                }
            }
        }
        #expect(counts.count == WeightFault.allCases.count)
        guard Self.draws > 1 else { return }
        for fault in WeightFault.allCases {
            print("\(fault.rawValue): \(counts[fault]?.planted ?? 0) planted, \(counts[fault]?.missed ?? 0) missed")
        }
    }

    private static func isOutside(_ fault: WeightFault) -> Bool {
        [.bitOutside, .typeChanged, .shapeChanged, .tensorMissing, .tensorAdded, .settingChanged].contains(fault)
    }

    /// Keys, types and samplers: nothing that is sound fails, neither by its weights nor by its outputs.
    @Test func nothingSoundFails() throws {
        let choices = MethodChoices.all
        var (tried, failed, worst, multiple, ratio) = (0, 0, 0.0, 0.0, 0.0)
        for (number, name) in Fixtures.recorded.enumerated() {
            for (place, type) in [ElementType.f32, .bf16, .f16].enumerated() {
                for (column, choice) in choices.enumerated() {
                    for key in 0..<(Self.draws > 1 ? 12 : 1) {
                        // A sample of the square, unless all is asked for.
                        guard Self.draws > 1 || (number + 3 * place + column) % 15 == 0 else { continue }
                        if key == 0 { _ = try model(name, type) }
                        let source = try Checkpoint(opening: folder("m"))
                        // Some methods find nothing to act on in some models.
                        do { try protect(source, choice.0, choice.1, key: UInt8(key)) } catch ProtectionError.noSites {
                            continue
                        }
                        let locked = try Checkpoint(opening: folder("p"))
                        let report = try AlgebraicVerification(threads: 1).verify(source, locked)
                        let outputs = try FunctionalVerification(threads: 1).verify(source, locked)
                        tried += 1
                        failed += report.holds && outputs.holds ? 0 : 1
                        ratio = max(ratio, outputs.ratio.isFinite ? outputs.ratio : 0)
                        for site in report.sites {
                            worst = max(worst, site.invariantError / site.tolerance)
                            multiple = max(multiple, site.roundingMultiple / site.allowedMultiple)
                        }
                        let named = "\(name) \(type) \(choice)"
                        #expect(report.holds, "\(named) \(report.failures.prefix(2)) \(report.problems)")
                        #expect(outputs.holds, "\(named) \(String(describing: outputs.comparison.firstFault))")
                    }
                }
            }
        }
        guard Self.draws > 1 else { return }
        print("\(tried) sound models, \(failed) failed; at most \(worst) of the tolerance, \(multiple) of the multiple")
        print("outputs drift by at most \(ratio) of the rounding floor")
    }
}

/// Every method with each of its samplers.
enum MethodChoices {
    static let all: [(ProtectionMethod, Sampler)] = ProtectionMethod.allCases.flatMap { method in
        method.samplers.map { (method, $0) }
    }
}
