/// What can stop a protection or its undoing.
public enum ProtectionError: Error, Sendable, Equatable {
    case notAKey(path: String)
    case damagedKey(path: String)
    case wrongKey(expected: String, found: String)
    case notProtected(path: String)
    case alreadyProtected(path: String)
    case manifest(path: String, field: String)
    case unknownFormat(path: String, found: String)
    case manifestDisagrees(path: String, field: String, expected: String, found: String)
    /// A protected model is not as protect wrote it.
    case changed(path: String, [Change])
    case conditionTooLarge(condition: Double, multiple: Double, type: String)
    case invalidCondition(Double)
    case noSites(path: String, method: String)
    /// Two methods would have one name.
    case nameTaken(method: String)
    /// The residual stream was to be moved alone, and may not be.
    case noResidualSite(path: String, reason: String)
    /// The residual stream was to be turned, and may not be.
    case noTurning(path: String, transform: String, reason: String)
    /// Two steps would act on the residual stream, one of them turning it.
    case turnedTwice(transform: String)
    /// Elements of several methods that have no product.
    case notComposed(site: String, methods: String)
    /// A base that is not of the model's making.
    case unlikeBase(path: String, tensor: String, expected: String, found: String)
    case baseIsModel(path: String)
    case noUseOfBase(methods: [String])
    case needsBase(method: String)
    case needsInputs(method: String)
    case noUseOfInputs(methods: [String])
    /// Too few positions for what is to be estimated from them.
    case tooFewInputs(tensor: String, found: Int, needed: Int)
    case inputsNotFinite(tensor: String)
    /// Activations cannot be stated as polynomials.
    case noPolynomials(path: String, reason: String)
    case statesNoPolynomials(method: String)
    case orderWithoutPolynomials
    case seriesNotFinite(tensor: String, channel: Int, order: Int)
    /// What changes weights would come after what locks them.
    case changesTooLate(method: String)
    /// Nothing was done that can be undone.
    case nothingToUndo(path: String, methods: String)
    case unknownParameter(method: String, parameter: String, known: [String])
    case parameterOutOfRange(MethodParameter, Double)
    /// Weights that an element is solved for from are no numbers.
    case notSolved(site: String, paths: [String])
    /// The method keeps every bit, and turning a stream rounds.
    case turningRounds(method: String)
    /// - Parameter stacks: the layers that there are, stack by stack.
    case layerOutOfRange(layer: Int, stacks: [String])
    case samplerNotApplicable(method: String, sampler: String, known: [String])
}

extension ProtectionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .notAKey(let path): "\(path): not a mergeproof key file; make one with `mergeproof keygen`"
        case .damagedKey(let path):
            "\(path): the key file is damaged (its checksum does not fit); restore it from a backup"
        case .wrongKey(let expected, let found):
            "this key (\(found)) is not the one that the model was protected with (\(expected)), or nonce or key_id were changed in \(Manifest.fileName); give the right key file or the manifest as `mergeproof protect` wrote it"
        case .notProtected(let path):
            "\(path): no \(Manifest.fileName) here, so this is not an output of `mergeproof protect`"
        case .alreadyProtected(let path):
            "\(path): the model is protected already (\(Manifest.fileName) is there); restore it first"
        case .manifest(let path, let field):
            "\(path)/\(Manifest.fileName): \(field) is missing or malformed; use the file that `mergeproof protect` wrote"
        case .unknownFormat(let path, let found):
            "\(path)/\(Manifest.fileName): format \"\(found)\" is unknown to this version; update mergeproof"
        case .manifestDisagrees(let path, let field, let expected, let found):
            "\(path)/\(Manifest.fileName): \(field) is \(found), the model says \(expected); the two do not belong together"
        case .changed(let path, let changes):
            "\(path): not as `mergeproof protect` wrote it: \(Self.list(changes)); take the unchanged files, or accept the changes, after which nothing is proved"
        case .conditionTooLarge(let condition, let multiple, let type):
            "condition number \(rounded(condition)) into \(type) would cost about \(rounded(multiple)) times the rounding of the original; name that condition number if you want that, or choose another sampler"
        case .invalidCondition(let condition): "condition number \(condition): expected a finite number of at least 1"
        case .noSites(let path, let method):
            "\(path): the method \(method) finds no site to act on among these layers and kinds of sites; choose more of them"
        case .nameTaken(let method): "a method named \(method) is known already; choose another name for yours"
        case .noResidualSite(let path, let reason):
            "\(path): \(reason); choose other sites"
        case .noTurning(let path, let transform, let reason):
            "\(path): the residual stream cannot be turned (\(transform)): \(reason); have it permuted or left as it is"
        case .turnedTwice(let transform):
            "several methods would act on the residual stream, and one of them turns it (\(transform)): give only one of them that site"
        case .notComposed(let site, let methods):
            "site \(site): elements of \(methods) cannot follow one another; choose other sites for one of them"
        case .unlikeBase(let path, let tensor, let expected, let found):
            "\(path): tensor \(tensor) of the base: expected \(expected) as in the model, found \(found); give the model that this one was trained from, in the same type"
        case .baseIsModel(let path):
            "\(path): the base is equal to the model wherever the two are compared; give the model that this one was trained from"
        case .notSolved(let site, let paths):
            "site \(site): weights of \(paths.joined(separator: " or ")) are no numbers, or too large to be compared; choose other sites or another method"
        case .noUseOfBase(let methods):
            "\(methods.joined(separator: ProtectionMethod.separator)) makes no use of a base here; leave it out or choose params with the sites of MLPs"
        case .needsBase(let method):
            "the method \(method) looks at what training added to the base model: give the model that this one was trained from"
        case .needsInputs(let method):
            "the method \(method) looks at activations: give calibration data, a few hundred texts or images like those that the model will see"
        case .noUseOfInputs(let methods):
            "\(methods.joined(separator: ProtectionMethod.separator)) makes no use of calibration data; leave it out"
        case .tooFewInputs(let tensor, let found, let needed):
            "tensor \(tensor): the calibration data gives it \(found) positions, expected \(needed) at least; give more data"
        case .inputsNotFinite(let tensor):
            "tensor \(tensor): what it reads on the calibration data is not finite; choose other data, or look for infinite weights"
        case .noPolynomials(let path, let reason):
            "\(path): activations cannot be stated as polynomials: \(reason)"
        case .statesNoPolynomials(let method):
            "the method \(method) states no activation as a polynomial; mergebarrier does"
        case .orderWithoutPolynomials:
            "order: mergebarrier leaves activations as they are unless it is told how polynomials are found; choose fit or taylor, or leave the order out"
        case .seriesNotFinite(let tensor, let channel, let order):
            "tensor \(tensor): the series of channel \(channel) to order \(order) leaves the range of f32; choose a lower order, or fitted polynomials"
        case .changesTooLate(let method):
            "the method \(method) changes weights and must come before those that lock them; put it first"
        case .nothingToUndo(let path, let methods):
            "\(path): \(methods) changed weights and keeps nothing that gives them back; take the original"
        case .unknownParameter(let method, let parameter, let known):
            known.isEmpty
                ? "\(parameter): the method \(method) takes no parameter; leave it out"
                : "\(parameter): the method \(method) takes \(known.joined(separator: ", ")); leave it out"
        case .parameterOutOfRange(let parameter, let value):
            "\(parameter.name) \(value): expected \(parameter.isWhole ? "a whole number from " : "")\(parameter.spelled(parameter.least)) to \(parameter.spelled(parameter.most)) (\(parameter.summary))"
        case .turningRounds(let method):
            "the method \(method) keeps every bit, and turning the residual stream rounds; have it permuted or left as it is"
        case .layerOutOfRange(let layer, let stacks):
            "layer \(layer) does not exist; the model has layers \(stacks.joined(separator: " and ")), each stack counted from 0"
        case .samplerNotApplicable(let method, let sampler, let known):
            known.isEmpty
                ? "sampler \(sampler): the method \(method) draws no elements; choose none"
                : known.count > 1
                    ? "sampler \(sampler): the method \(method) draws \(known.joined(separator: ", ")); choose one of these or none"
                    : "sampler \(sampler): the method \(method) draws in one way alone; choose none"
        }
    }

    /// The first few.
    private static func list(_ changes: [Change]) -> String {
        let shown = changes.prefix(3).map(\.description).joined(separator: ", ")
        return changes.count > 3 ? "\(shown) and \(changes.count - 3) more" : shown
    }

    private func rounded(_ value: Double) -> String {
        value == value.rounded() && value < 1e15 ? "\(Int(value))" : "\((value * 10).rounded() / 10)"
    }
}
