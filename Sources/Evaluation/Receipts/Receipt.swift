import Checkpoints
import Foundations
import Protections
import Verification

/// What a publisher keeps of a protection, and shows to whom it concerns: every file that went in and came out with its SHA-256, what was done
/// and with which key, and what both proofs found. A statement as in-toto has it (in-toto Attestation Framework, Statement v1).
///
/// It tells nothing of the key. `commitment` is a code over everything else that only the key's holder can make or check (`KeyCommitment`).
public struct Receipt: Sendable, Equatable {
    static let statementType = "https://in-toto.io/Statement/v1"
    static let predicateType = "urn:mergeproof:receipt:1"
    /// No receipt is larger: that of a file takes some hundred bytes.
    private static let maximumBytes = 64 << 20

    /// Every file of the protected directory.
    public let subject: [FileDigest]
    /// Every file that the protection read.
    public let materials: [FileDigest]
    /// The weights of the base that it looked at; none where it had none, or where that is not known any more.
    public let base: [FileDigest]
    let nonce: ProtectionNonce
    let keyIdentifier, commitment: String
    /// What a manifest says, too, by its names for it.
    let claims: JSONObject
    let figures: ReceiptFigures
    /// The whole, as it was read or will be written.
    private let statement: JSONValue

    /// Both proofs found the two models to compute the same, as far as they were made.
    public var sameFunction: Bool { figures.hold }
    /// Outputs were evaluated, too.
    public var isEvaluated: Bool { figures.outputs != nil }

    /// As JSON, indented.
    public var text: String { statement.serialized(indented: true) }

    /// What the commitment is made over: everything else, in its order, with numbers as they are written; white space is free.
    var committed: [UInt8] { Self.committed(statement) }

    private static func committed(_ statement: JSONValue) -> [UInt8] {
        var whole = statement.object ?? JSONObject()
        var predicate = whole["predicate"]?.object ?? JSONObject()
        var key = predicate["key"]?.object ?? JSONObject()
        key["commitment"] = nil
        predicate["key"] = .object(key)
        whole["predicate"] = .object(predicate)
        return Array(JSONValue.object(whole).serialized().utf8)
    }
}

extension Receipt {
    /// Reads both directories again, for the digests of their files.
    ///
    /// - Parameters:
    ///   - pair: what both proofs were made of.
    ///   - base: what the protection compared with, as it was opened for that.
    ///   - version: of the program.
    /// - Throws: `ProtectionError` for another key, `ReceiptError` for a manifest that is not as it was written,
    ///   `CheckpointError.sourceChanged` for files that were changed since the proofs.
    public init(
        _ pair: ModelPair, base: Checkpoint? = nil, key: SecretKey, weights: VerificationReport,
        outputs: FunctionalReport?, version: String,
        threads: Int? = nil
    ) throws {
        let (original, protected) = (pair.original, pair.protected)
        let manifest = try Manifest.read(from: protected)
        guard let nonce = manifest.nonce else { throw ReceiptError.unproved(path: protected.path) }
        let commitment = KeyCommitment(key, nonce: nonce)
        guard commitment.keyIdentifier == manifest.keyIdentifier else {
            throw ProtectionError.wrongKey(expected: manifest.keyIdentifier, found: commitment.keyIdentifier)
        }
        guard manifest.isAuthentic(under: key) else { throw ReceiptError.changedManifest(path: protected.path) }
        let read = original.entries.filter { $0.isFile && ($0.isCopied || $0.disposition == .weights) }
            .map { FileTree.File(path: $0.relativePath, status: $0.status) }
        let materials = try FileDigest.all(of: read, in: original.path, threads: threads)
        let subject = try FileDigest.all(of: FileTree(protected.path).files, in: protected.path, threads: threads)
        let basis = try base.map { try FileDigest.weights(of: $0, threads: threads) }
        for checkpoint in [original, protected] + [base].compactMap(\.self) { try checkpoint.checkUnchanged() }
        var predicate: JSONObject = ["mergeproof": .string(version)]
        for member in manifest.claims.members { predicate[member.key] = member.value }
        predicate["materials"] = try JSONValue(encoding: materials)
        if let basis { predicate["base"] = try JSONValue(encoding: basis) }
        predicate["key"] = .object(["key_id": .string(manifest.keyIdentifier)])
        predicate["verification"] = try JSONValue(encoding: ReceiptFigures(weights, outputs))
        var statement: JSONObject = [
            "_type": .string(Self.statementType), "subject": try JSONValue(encoding: subject),
            "predicateType": .string(Self.predicateType), "predicate": .object(predicate),
        ]
        let code = commitment.code(of: Self.committed(.object(statement)))
        predicate["key"] = .object(["key_id": .string(manifest.keyIdentifier), "commitment": .string(code)])
        statement["predicate"] = .object(predicate)
        try self.init(.object(statement), file: protected.path)
    }

    /// Writes a new file that only its owner can read; an existing one is never replaced.
    public func write(to path: String) throws {
        try Array((text + "\n").utf8).withUnsafeBytes { try PrivateFile.write($0, to: path) }
    }

    /// Refuses a path at which no receipt may be made: where something is, and inside a model.
    public static func checkPlace(_ path: String, outside models: [String]) throws {
        try PrivateFile.check(path, outside: models)
    }
}

extension Receipt {
    /// Reads a receipt, every field of which is known and there.
    /// - Throws: `CheckpointError` for what is no JSON, `ReceiptError` for what is no receipt.
    public init(readingFrom path: String) throws {
        var bytes: [UInt8] = []
        do {
            try FileTree.read(path) { chunk in
                guard bytes.count + chunk.count <= Self.maximumBytes else { throw ReceiptError.notAReceipt(file: path) }
                bytes += chunk
            }
        } catch CheckpointError.notAFileOrDirectory { throw ReceiptError.notAReceipt(file: path) }
        let document: JSONDocument
        do throws(JSONFault) { document = try JSONDocument(parsing: bytes) } catch {
            throw CheckpointError.json(file: path, error)
        }
        try self.init(document.root, file: path)
    }

    private init(_ statement: JSONValue, file: String) throws(ReceiptError) {
        // What is another kind of statement is not measured by the fields of this one.
        for (field, expected) in [("_type", Self.statementType), ("predicateType", Self.predicateType)] {
            guard let found = statement[field]?.string, found != expected else { continue }
            throw .otherKind(file: file, found: found)
        }
        let whole = try ReceiptMembers(statement, ["_type", "subject", "predicateType", "predicate"], file: file)
        _ = (try whole.string("_type"), try whole.string("predicateType"))
        subject = try whole.digests("subject")
        let predicate = try whole.members(
            "predicate", ["mergeproof"] + Manifest.claimNames + ["materials", "key", "verification"],
            optional: Manifest.optionalClaimNames + ["base"])
        _ = try predicate.string("mergeproof")
        materials = try predicate.digests("materials")
        base = predicate["base"] == nil ? [] : try predicate.digests("base")
        let key = try predicate.members("key", ["key_id", "commitment"])
        (keyIdentifier, commitment) = (try key.string("key_id"), try key.string("commitment"))
        guard let nonce = ProtectionNonce(hexadecimal: try predicate.string("nonce")) else {
            throw .field(file: file, field: "predicate.nonce")
        }
        self.nonce = nonce
        _ = try predicate.list("steps", of: Manifest.stepNames, optional: Manifest.optionalStepNames) { $0 }
        claims = JSONObject(
            Manifest.claimNames.map { ($0, predicate[$0] ?? .null) }
                + Manifest.optionalClaimNames.compactMap { name in predicate[name].map { (name, $0) } })
        figures = try ReceiptFigures(try predicate.members("verification", ["weights", "outputs"]))
        self.statement = statement
    }
}
