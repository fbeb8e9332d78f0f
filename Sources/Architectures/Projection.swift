/// Where the heads of a projection lie on an axis of the stored weight: query head `member` of group `group` takes
/// `offset + group·groupStride + member·headStride ..< + length`.
public struct HeadLayout: Sendable, Equatable {
    public let offset: Int
    public let groupStride: Int
    public let headStride: Int
    public let length: Int

    public init(offset: Int, groupStride: Int, headStride: Int, length: Int) {
        self.offset = offset
        self.groupStride = groupStride
        self.headStride = headStride
        self.length = length
    }

    public func range(group: Int, member: Int) -> Range<Int> {
        let start = offset + group * groupStride + member * headStride
        return start..<start + length
    }
}

/// A linear map `y = W·x + b` as the checkpoint stores it.
///
/// The stored tensor is read as a matrix whose columns are its last axis and whose rows are all others. Experts that share
/// a tensor lie one below the other: such a map takes `rows` of it.
public struct Projection: Sendable, Equatable {
    /// Stored name of the weight.
    public let weight: String
    /// Stored name of the bias, nil where there is none.
    public let bias: String?
    /// Axis of the stored weight that carries outputs: 0 for nn.Linear, 1 for GPT-2's Conv1D.
    public let outputAxis: Int
    /// Where this map's outputs begin on that axis and in the bias (fused projections).
    public let outputOffset: Int
    /// Distance between consecutive outputs on that axis: 2 where gate and up channels alternate.
    public let outputStride: Int
    public let outputCount: Int
    public let inputCount: Int
    /// Outputs of all maps fused into the stored tensor.
    public let storedOutputs: Int
    /// Which of several maps of one shape, stacked in one tensor, this is; nil where the tensor holds one.
    public let expert: Int?
    /// For queries, keys and values on the output axis, for the output projection on the input axis.
    public let headLayout: HeadLayout?

    public init(
        weight: String, bias: String?, outputAxis: Int = 0, outputOffset: Int = 0, outputStride: Int = 1,
        outputCount: Int, inputCount: Int, storedOutputs: Int? = nil, expert: Int? = nil, headLayout: HeadLayout? = nil
    ) {
        self.weight = weight
        self.bias = bias
        self.outputAxis = outputAxis
        self.outputOffset = outputOffset
        self.outputStride = outputStride
        self.outputCount = outputCount
        self.inputCount = inputCount
        self.storedOutputs = storedOutputs ?? outputCount
        self.expert = expert
        self.headLayout = headLayout
    }
}
