import Checkpoints
import Foundation
import Foundations
import LinearAlgebra
import Symmetries

/// What restoring needs beside the key, kept as `mergeproof.json` in the protected directory. It names the method, never the
/// secret.
public struct Manifest: Sendable, Equatable {
    public static let fileName = Checkpoint.manifestName
    private static let format = "mergeproof-protection/"
    private static let newest = 7
    private static let tagField = "tag"

    /// The version of the format, which says how elements follow from the key.
    let version: Int
    /// Version 2 draws an element again where it is the identity; version 1 kept such.
    var avoidsIdentity: Bool { version > 1 }

    /// Version 4 tells of a residual stream that was turned, version 5 of several steps or of assigned channels, version 6 of parameters and
    /// of changed weights, version 7 of polynomials; each is written for such alone: what does not know it must not restore it.
    private static func version(_ steps: ProtectionSteps, hasChanges: Bool) -> Int {
        if steps.all.contains(where: { $0.ffn != nil }) { return 7 }
        if hasChanges || steps.all.contains(where: { !$0.parameters.isEmpty }) { return 6 }
        return steps.all.count > 1 || steps.all.contains(where: \.isAssigned) ? 5 : steps.residual.form != nil ? 4 : 3
    }

    /// Version 3 predicts what rounding costs from the weights, earlier ones from groups, sampler and condition number alone.
    package var isPredictedFromWeights: Bool { version > 2 }

    /// Nil before version 3.
    public let nonce: ProtectionNonce?
    /// What was done.
    public let steps: ProtectionSteps
    public let family: String
    public let siteCount: Int
    public let keyIdentifier: String
    /// Expected cost of rounding in multiples of rounding the original.
    public let roundingMultiple: Double
    /// The sealed powers of two that went before the elements of unbalanced sites (`BalanceTable`); nil where there are none.
    let balance: [UInt8]?
    /// The sealed gains of the norms of turned streams (`FoldedGains`); nil where none is turned.
    let gains: [UInt8]?
    /// The sealed elements that were solved for (`SolvedElements`); nil where none was.
    let solved: [UInt8]?
    /// Names of the tensors that were changed before any element acted, which nothing undoes.
    public let changed: [String]
    /// By what: methods, an adapter.
    public let changedBy: [String]
    /// A head that was stored apart from its table; nil where none was.
    public let untied: UntiedHead?
    /// What was added to the model card; nil where none was written.
    public let card: ModelCard?
    /// Weights in other formats that lay beside the original and were not copied.
    public let leftOut: [String]
    /// OpenBLAS's version and kernels, on which the last bits of dense products depend.
    public let blas: String
    public let coreType: String
    /// What lies in the protected directory; nil before version 3.
    var inventory: Inventory?
    /// Everything above as the file has it, and what a newer version may have added; of what was read, not of what is to be written.
    private var document: JSONValue?
    /// Over everything else.
    private var tag: AuthenticationTag?

    /// The steps as version 5 lists them.
    var stepsJSON: JSONValue {
        .array(
            steps.all.map { step in
                var own = JSONObject()
                step.describe(in: &own)
                if step.isAssigned { own["assigned"] = .bool(true) }
                if step.isCalibrated { own["calibrated"] = .bool(true) }
                if step.residual.form != nil { own["residual"] = .string(step.residual.rawValue) }
                if !step.parameters.isEmpty { own["parameters"] = step.parametersJSON }
                if let ffn = step.ffn { own["ffn"] = .string(ffn.rawValue) }
                return .object(own)
            })
    }

    var json: JSONValue {
        var object: JSONObject = [
            "format": .string("\(Self.format)\(version)"),
            "nonce": nonce.map { .string($0.hexadecimal) } ?? .null,
        ]
        if version < 5 {
            steps.all[0].describe(in: &object)
        } else {
            object["steps"] = stepsJSON
        }
        object["architecture"] = .string(family)
        object["site_count"] = .int(siteCount)
        object["key_id"] = .string(keyIdentifier)
        object["predicted_rounding_multiple"] = .double(roundingMultiple)
        object["left_out"] = .array(leftOut.map(JSONValue.string))
        object["blas"] = .string(blas)
        object["core_type"] = .string(coreType)
        object["header_metadata"] = inventory.map { .array($0.headerMetadata) } ?? .null
        object["files"] = inventory?.filesJSON ?? .null
        object["tensors"] = inventory?.tensorsJSON ?? .null
        if version < 5, steps.residual.form != nil { object["residual"] = .string(steps.residual.rawValue) }
        if let untied { object["untied"] = untied.json }
        if let card { object["card"] = card.json }
        if let gains { object["gains"] = .string(Data(gains).base64EncodedString()) }
        if let solved { object[solvedField] = .string(Data(solved).base64EncodedString()) }
        if !changed.isEmpty {
            object["changed_by"] = .array(changedBy.map(JSONValue.string))
            object["changed"] = .array(changed.map(JSONValue.string))
        }
        if let balance { object["balance"] = .string(Data(balance).base64EncodedString()) }
        return .object(object)
    }

    var solvedField: String { version < 6 ? "assigned" : "solved" }

    /// The file, authenticated as a whole.
    func bytes(sealedBy authenticator: Authenticator) -> [UInt8] {
        var members = json.object ?? JSONObject()
        members[Self.tagField] = .string(authenticator.tag(manifest: json).hexadecimal)
        return Array((JSONValue.object(members).serialized(indented: true) + "\n").utf8)
    }

    /// Whether every field is as the key's owner wrote it.
    func isAuthentic(_ authenticator: Authenticator) -> Bool { tag == authenticator.tag(manifest: document ?? json) }

    /// Reads the manifest of a protected model.
    /// - Throws: `ProtectionError.notProtected` when there is none.
    public static func read(from checkpoint: Checkpoint) throws -> Manifest {
        let path = checkpoint.path
        guard let document = try checkpoint.document(named: fileName) else {
            throw ProtectionError.notProtected(path: path)
        }
        return try Manifest(document.root, path: path)
    }

    init(_ root: JSONValue, path: String) throws {
        func string(_ field: String) throws -> String {
            guard let value = root[field]?.string else { throw ProtectionError.manifest(path: path, field: field) }
            return value
        }
        func required<T>(_ value: T?, _ field: String) throws -> T {
            guard let value else { throw ProtectionError.manifest(path: path, field: field) }
            return value
        }
        let format = try string("format")
        guard let version = (1...Self.newest).first(where: { format == "\(Self.format)\($0)" }) else {
            throw ProtectionError.unknownFormat(path: path, found: format)
        }
        // An older version with a newer one's tag would be the newer one robbed of its proof.
        guard version >= 3 || root[Self.tagField] == nil else {
            throw ProtectionError.manifest(path: path, field: "format")
        }
        self.version = version
        nonce = version < 3 ? nil : try required(ProtectionNonce(hexadecimal: try string("nonce")), "nonce")
        if version < 5 {
            steps = ProtectionSteps(try ProtectionStep(root, path: path))
        } else {
            let read = try required(root["steps"]?.array, "steps").map { try ProtectionStep($0, path: path) }
            guard !read.isEmpty else { throw ProtectionError.manifest(path: path, field: "steps") }
            steps = ProtectionSteps(read[0], read.dropFirst())
        }
        guard version > 3 || steps.residual.form == nil else {
            throw ProtectionError.manifest(path: path, field: "residual")
        }
        family = try string("architecture")
        siteCount = try required(root["site_count"]?.int, "site_count")
        keyIdentifier = try string("key_id")
        roundingMultiple = try required(root["predicted_rounding_multiple"]?.double, "predicted_rounding_multiple")
        func data(_ field: String) throws -> [UInt8]? {
            try root[field].map { Array(try required($0.string.flatMap { Data(base64Encoded: $0) }, field)) }
        }
        untied = try root["untied"].map { try required(UntiedHead($0), "untied") }
        // Earlier versions have no key to prove a card with.
        card = version < 3 ? nil : try root["card"].map { try required(ModelCard($0), "card") }
        (balance, gains) = (try data("balance"), try data("gains"))
        solved = try data(version < 6 ? "assigned" : "solved")
        func words(_ field: String) throws -> [String] {
            guard version > 5, let list = root[field] else { return [] }
            return try required(list.array, field).map { try required($0.string, field) }
        }
        (changed, changedBy) = (try words("changed"), try words("changed_by"))
        leftOut = (root["left_out"]?.array ?? []).compactMap(\.string)
        blas = try string("blas")
        coreType = try string("core_type")
        guard version >= 3 else { return }
        var members = try required(root.object, "format")
        tag = try required(AuthenticationTag(hexadecimal: try string(Self.tagField)), Self.tagField)
        members[Self.tagField] = nil
        document = .object(members)
        inventory = try Inventory(members, path: path)
    }

    init(
        nonce: ProtectionNonce, steps: ProtectionSteps, family: String, siteCount: Int, keyIdentifier: String,
        roundingMultiple: Double, balance: [UInt8]?, gains: [UInt8]?, solved: [UInt8]?, changed: [String],
        changedBy: [String], untied: UntiedHead?, card: ModelCard?, leftOut: [String], inventory: Inventory
    ) {
        version = Self.version(steps, hasChanges: !changed.isEmpty)
        self.nonce = nonce
        self.steps = steps
        self.family = family
        self.siteCount = siteCount
        self.keyIdentifier = keyIdentifier
        self.roundingMultiple = roundingMultiple
        (self.balance, self.gains, self.solved, self.untied) = (balance, gains, solved, untied)
        (self.changed, self.changedBy) = (changed, changedBy)
        self.card = card
        self.leftOut = leftOut
        blas = BLASInfo.version
        coreType = BLASInfo.coreType
        self.inventory = inventory
    }
}

extension ProtectionStep {
    fileprivate var parametersJSON: JSONValue {
        .object(JSONObject(parameters.map { ($0.key.name, .double($0.value)) }.sorted { $0.0 < $1.0 }))
    }

    fileprivate func describe(in object: inout JSONObject) {
        object["method"] = .string(method.name)
        object["sampler"] = .string(sampler.rawValue)
        object["condition"] = .double(condition)
        object["sites"] = .array(siteKinds.map(\.rawValue).sorted().map(JSONValue.string))
        object["layers"] = layers.map { .array($0.map(JSONValue.int)) } ?? .string("all")
    }

    /// What a manifest tells of a step.
    fileprivate init(_ json: JSONValue, path: String) throws {
        func required<T>(_ value: T?, _ field: String) throws -> T {
            guard let value else { throw ProtectionError.manifest(path: path, field: field) }
            return value
        }
        func word<T: RawRepresentable>(_ field: String, _ value: JSONValue?) throws -> T where T.RawValue == String {
            try required(value?.string.flatMap(T.init(rawValue:)), field)
        }
        let method: ProtectionMethod = try word("method", json["method"])
        self.init(
            method: method, sampler: try word("sampler", json["sampler"]),
            condition: try required(
                json["condition"]?.double.flatMap { $0.isFinite && $0 >= 1 ? $0 : nil }, "condition"),
            siteKinds: Set(try required(json["sites"]?.array, "sites").map { try word("sites", $0) }),
            residual: try json["residual"].map { try word("residual", $0) } ?? .permutation,
            layers: json["layers"]?.string == "all"
                ? nil : try required(json["layers"]?.array, "layers").map { try required($0.int, "layers") },
            isAssigned: try json["assigned"].map { try required($0.bool, "assigned") } ?? false,
            isCalibrated: try json["calibrated"].map { try required($0.bool, "calibrated") } ?? false,
            parameters: try json["parameters"].map {
                var values: [MethodParameter: Double] = [:]
                for member in try required($0.object, "parameters").members {
                    let parameter = try required(method.parameters.first { $0.name == member.key }, "parameters")
                    values[parameter] = try required(
                        member.value.double.flatMap { parameter.admits($0) ? $0 : nil }, "parameters")
                }
                return values
            } ?? [:], ffn: try json["ffn"].map { try word("ffn", $0) })
    }
}
