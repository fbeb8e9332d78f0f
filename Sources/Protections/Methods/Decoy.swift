extension ProtectionMethod {
    /// Takes from the public base what alignments live on: of every head's queries, keys and values, and of the hidden channels of MLPs, most of the
    /// correlation with the base's rows is taken away, at the least cost that calibration data shows. A lock is to follow.
    public static let decoy = ProtectionMethod(
        name: "decoy",
        summary:
            "takes the correlation with the base from heads and MLPs, given the base and calibration data; changes the function",
        parameters: [.strength], change: Decorrelation())
}
