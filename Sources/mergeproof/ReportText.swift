import Checkpoints
import Protections

/// What protect and restore say when they are done.
enum ReportText {
    static func protected(_ report: Protector.Report, output: String, seconds: Double) -> String {
        let manifest = report.manifest
        let drawn =
            manifest.sampler == .exact
            ? "exact elements"
            : "sampler \(manifest.sampler.rawValue), condition number \(fixed(manifest.condition, 1))"
        return """
            protected \(PrintableText.line(output))
              method     \(manifest.method.rawValue), \(drawn), key \(manifest.keyIdentifier)
              sites      \(report.sites) in \(report.rewrittenTensors) tensors (\(ByteSize.format(report.rewrittenBytes)) of \(ByteSize.format(report.tensorBytes)))
              rounding   about \(fixed(manifest.roundingMultiple, 1)) x that of storing the original
              time       \(fixed(seconds, 2)) s, \(ByteSize.format(Int(Double(report.tensorBytes) / max(seconds, 1e-6))))/s; OpenBLAS kernels: \(manifest.coreType)
            Adapters, draft models and steering vectors that act inside attention or MLP layers must be trained on the protected model.
            This lock does not stop an attacker who aligns the weights to the public base model.
            """
    }

    static func restored(_ report: Protector.Report, output: String, seconds: Double) -> String {
        let exactness = report.manifest.sampler == .exact ? "bit for bit" : "to rounding"
        return
            "restored \(PrintableText.line(output)) \(exactness) (\(report.sites) sites, \(ByteSize.format(report.tensorBytes)) in \(fixed(seconds, 2)) s)"
    }

    static func json(_ report: Protector.Report, output: String, seconds: Double) -> String {
        let manifest = report.manifest
        return JSONValue.object([
            "output": .string(output),
            "method": .string(manifest.method.rawValue),
            "sampler": .string(manifest.sampler.rawValue),
            "condition": .double(manifest.condition),
            "key_id": .string(manifest.keyIdentifier),
            "sites": .int(report.sites),
            "rewritten_tensors": .int(report.rewrittenTensors),
            "rewritten_bytes": .int(report.rewrittenBytes),
            "tensor_bytes": .int(report.tensorBytes),
            "predicted_rounding_multiple": .double(manifest.roundingMultiple),
            "powers_of_two_dropped": .bool(report.scalesWereDropped),
            "left_out": .array(manifest.leftOut.map(JSONValue.string)),
            "seconds": .double(seconds),
            "core_type": .string(manifest.coreType),
        ]).serialized(indented: true)
    }
}
