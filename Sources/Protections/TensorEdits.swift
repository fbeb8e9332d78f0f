import Checkpoints
import Symmetries

/// What a plan does to one tensor: disjoint runs of indices along one axis, each acted on by its site's element.
struct TensorEdits: Sendable {
    struct Edit: Sendable {
        let site: Site
        let slice: Site.Slice
        var range: Range<Int> { slice.start..<slice.start + site.group.dimension }
    }

    let tensor: TensorRecord
    /// 0 for rows, 1 for columns.
    let axis: Int
    /// By ascending start.
    let edits: [Edit]

    init(tensor: TensorRecord, edits: [Edit]) throws {
        self.tensor = tensor
        self.edits = edits.sorted { $0.slice.start < $1.slice.start }
        axis = edits.first?.slice.axis ?? 0
        let (rows, columns) = tensor.matrixShape
        var end = 0
        for edit in self.edits {
            guard edit.slice.axis == axis else { throw ProtectionError.bothAxes(tensor: tensor.name) }
            guard tensor.shape.count <= 2, edit.range.lowerBound >= end,
                edit.range.upperBound <= (axis == 0 ? rows : columns)
            else {
                throw SymmetryError.sliceOutsideTensor(
                    site: edit.site.path, tensor: tensor.name, axis: axis, end: edit.range.upperBound,
                    shape: tensor.shape)
            }
            guard tensor.type.isComputable else {
                throw SymmetryError.unsupportedType(
                    site: edit.site.path, tensor: tensor.name, type: tensor.type.rawValue)
            }
            end = edit.range.upperBound
        }
    }

    /// The edits of every tensor that some site acts on.
    static func collect(_ sites: [Site], in checkpoint: Checkpoint) throws -> [String: TensorEdits] {
        var edits: [String: [Edit]] = [:]
        for site in sites {
            for slice in site.slices { edits[slice.tensor, default: []].append(Edit(site: site, slice: slice)) }
        }
        var collected: [String: TensorEdits] = [:]
        for (name, edits) in edits {
            guard let tensor = checkpoint.tensors[name] else { continue }
            collected[name] = try TensorEdits(tensor: tensor, edits: edits)
        }
        return collected
    }
}
