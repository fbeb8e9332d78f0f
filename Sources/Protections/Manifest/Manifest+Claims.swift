import Checkpoints
import Foundations

/// What others repeat of a manifest: everything that was done, in its own words.
extension Manifest {
    package static let claimNames = [
        "format", "nonce", "architecture", "steps", "site_count", "predicted_rounding_multiple", "blas", "core_type",
    ]
    /// Of those that only some manifests have: what changed weights before any lock.
    package static let optionalClaimNames = ["changed_by"]
    /// Of the members of a step.
    package static let stepNames = ["method", "sampler", "condition", "sites", "layers"]
    package static let optionalStepNames = ["assigned", "calibrated", "residual", "parameters", "ffn"]

    /// The same for one step as for several.
    package var claims: JSONObject {
        let all = json
        return JSONObject(
            Self.claimNames.map { ($0, $0 == "steps" ? stepsJSON : all[$0] ?? .null) }
                + Self.optionalClaimNames.compactMap { name in all[name].map { (name, $0) } })
    }

    /// Whether every field is as the key's owner wrote it.
    package func isAuthentic(under key: SecretKey) -> Bool {
        isAuthentic(Authenticator(Derivation(key: key, manifest: self)))
    }

    /// Reads the manifest of a directory of which nothing else need be in order.
    /// - Throws: `ProtectionError.notProtected` when there is none.
    package static func read(in directory: String) throws -> Manifest {
        let path = directory + "/" + fileName
        var bytes: [UInt8] = []
        do { try FileTree.read(path) { bytes += $0 } } catch CheckpointError.notFound {
            throw ProtectionError.notProtected(path: directory)
        }
        let document: JSONDocument
        do throws(JSONFault) { document = try JSONDocument(parsing: bytes) } catch {
            throw CheckpointError.json(file: path, error)
        }
        return try Manifest(document.root, path: directory)
    }
}
