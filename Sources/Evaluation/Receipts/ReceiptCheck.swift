import Checkpoints
import Foundations
import Protections
import Verification

/// A receipt held against what is there: one sentence for each thing that was looked at, and for each that was not.
public struct ReceiptCheck: Sendable, Encodable {
    public private(set) var checked: [String] = []
    public private(set) var failures: [String] = []
    public private(set) var unchecked: [String] = []

    public var holds: Bool { failures.isEmpty }

    private enum CodingKeys: String, CodingKey {
        case holds, checked
        case failures = "failed"
        case unchecked = "not_checked"
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(holds, forKey: .holds)
        try container.encode(checked, forKey: .checked)
        try container.encode(failures, forKey: .failures)
        try container.encode(unchecked, forKey: .unchecked)
    }

    /// - Parameters:
    ///   - protected: the directory that the receipt is to be of.
    ///   - original: that of the model that was protected; nil where it is not at hand.
    ///   - base: that of the model that the protection compared with; likewise.
    /// - Throws: for what cannot be read; what does not hold is reported.
    public init(
        _ receipt: Receipt, protected: String, original: String? = nil, base: String? = nil, key: SecretKey? = nil,
        threads: Int? = nil
    ) throws {
        try checkSubject(receipt, in: protected, threads: threads)
        try checkClaims(receipt, in: protected)
        if let original {
            try check(receipt.materials, "the receipt says were read", in: original, threads: threads)
        } else {
            unchecked.append("the \(receipt.materials.count) files of the original, which was not given")
        }
        if let base {
            if receipt.base.isEmpty {
                failures.append("the receipt tells of no base, and one was given")
            } else {
                try check(receipt.base, "the receipt says the base consisted of", in: base, threads: threads)
            }
        } else if !receipt.base.isEmpty {
            unchecked.append("the base's files, as no base was given")
        }
        if let key {
            check(receipt, under: key)
        } else {
            unchecked.append("who made the receipt, and whether its figures were changed since: that takes the key")
        }
        if !receipt.sameFunction {
            failures.append("by the receipt's own figures the two models do not compute the same function")
        }
        let proofs = receipt.isEvaluated ? "their weights and outputs" : "their weights"
        unchecked.append("that the two models compute the same function: the receipt tells what was found of \(proofs)")
    }

    private mutating func checkSubject(_ receipt: Receipt, in directory: String, threads: Int?) throws {
        let tree = try FileTree(directory)
        let found = try FileDigest.all(of: tree.files, in: directory, threads: threads)
        let before = failures.count
        compare(receipt.subject, found, in: directory)
        let listed = Self.names(receipt.subject)
        let added = found.filter { !listed.contains(Array($0.name.utf8)) }.map(\.name)
        // What hubs and version control put there.
        let kept = added.filter(HarmlessFile.isBookkeeping)
        failures += added.filter { !kept.contains($0) }.map { "\($0) is in \(directory) and not in the receipt" }
        failures += tree.others.map { "\($0) in \(directory) is no file, and not in the receipt" }
        if failures.count == before {
            let others = kept.isEmpty ? "there are no others" : "no loader reads what else there is"
            checked.append(
                "all \(receipt.subject.count) files that the receipt lists are in \(directory) as it lists them, and \(others)"
            )
        }
        unchecked += kept.map { "\($0) in \(directory), which is not in the receipt" }
        unchecked += tree.toolFolders.map { "what lies in \(directory)/\($0)" }
    }

    private mutating func check(
        _ listed: [FileDigest], _ what: String, in directory: String, threads: Int?
    ) throws {
        let before = failures.count
        let files = listed.map { FileTree.File(path: $0.name) }
        var (there, found) = ([FileTree.File](), [FileDigest]())
        for file in files where FileTree.holdsFile(directory + "/" + file.path) { there.append(file) }
        found = try FileDigest.all(of: there, in: directory, threads: threads)
        compare(listed, found, in: directory)
        if failures.count == before {
            checked.append(
                found.count == 1
                    ? "the file that \(what) is in \(directory), as it lists it"
                    : "all \(found.count) files that \(what) are in \(directory), as it lists them")
        }
        unchecked.append("any other file of \(directory)")
    }

    /// What is listed must be there, and the same.
    private mutating func compare(_ listed: [FileDigest], _ found: [FileDigest], in directory: String) {
        let digests = Dictionary(found.map { (Array($0.name.utf8), $0.sha256) }) { first, _ in first }
        for file in listed {
            guard let digest = digests[Array(file.name.utf8)] else {
                failures.append("\(file.name) is in the receipt and not in \(directory)")
                continue
            }
            if digest != file.sha256 {
                failures.append("\(file.name) in \(directory) is not the file of the receipt: its SHA-256 differs")
            }
        }
    }

    private static func names(_ files: [FileDigest]) -> Set<[UInt8]> { Set(files.map { Array($0.name.utf8) }) }

    /// What the receipt says of the protection, against the manifest.
    private mutating func checkClaims(_ receipt: Receipt, in directory: String) throws {
        let manifest: Manifest
        do { manifest = try Manifest.read(in: directory) } catch let error as ProtectionError {
            failures.append("\(error)")
            return
        } catch CheckpointError.json(let file, let fault) {
            failures.append("\(CheckpointError.json(file: file, fault))")
            return
        }
        var (said, expected) = (receipt.claims, manifest.claims)
        (said["key_id"], expected["key_id"]) = (.string(receipt.keyIdentifier), .string(manifest.keyIdentifier))
        let differences = JSONComparison(.object(expected), .object(said)).differences
        failures += differences.map { "the receipt says otherwise than \(Manifest.fileName): \($0)" }
        if differences.isEmpty {
            checked.append(
                "\(expected.members.map(\.key).joined(separator: ", ")) are those of \(Manifest.fileName)"
            )
        }
    }

    private mutating func check(_ receipt: Receipt, under key: SecretKey) {
        let commitment = KeyCommitment(key, nonce: receipt.nonce)
        guard commitment.keyIdentifier == receipt.keyIdentifier else {
            failures.append(
                "this key (\(commitment.keyIdentifier)) is not the one that the receipt names (\(receipt.keyIdentifier)), or its nonce or key_id were changed"
            )
            return
        }
        guard commitment.opens(receipt.commitment, of: receipt.committed) else {
            failures.append("the receipt is not as the key's owner made it: a field was changed since")
            return
        }
        checked.append(
            "the receipt was made with this key, and no field of it, the figures among them, was changed since")
    }
}
