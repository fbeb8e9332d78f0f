import Architectures

extension AttentionRunner {
    /// Norms and rotates queries or keys in place, head by head.
    func prepare(
        _ states: States<Real>, _ layout: HeadLayout, norms: [LoadedNorm<Real>], heads: Int, _ positions: Positions
    ) {
        guard rotary != nil || !norms.isEmpty else { return }
        let members = heads / block.keyValueHeads
        let isAfter = block.queryKeyNorm?.isAfterRotary ?? false
        let clip = norms.isEmpty ? nil : block.clip.map(Real.init)
        for segment in positions.segments {
            for row in segment {
                let base = states.row(row)
                if !isAfter { normalize(base, layout, norms, heads: heads) }
                if let clip {
                    for head in 0..<heads {
                        let start = layout.range(group: head / members, member: head % members).lowerBound
                        clamp(base + start, layout.length, clip)
                    }
                }
                if let rotary {
                    let position = positions.offset + row - segment.lowerBound
                    for head in 0..<heads {
                        let start = layout.range(group: head / members, member: head % members).lowerBound
                        rotary.turn(base + start, position: position)
                    }
                }
                if isAfter { normalize(base, layout, norms, heads: heads) }
            }
        }
    }

    private func normalize(
        _ row: UnsafeMutablePointer<Real>, _ layout: HeadLayout, _ norms: [LoadedNorm<Real>], heads: Int
    ) {
        guard let first = norms.first, let scope = block.queryKeyNorm?.scope else { return }
        if scope == .projection {
            first.apply(row + layout.offset, row + layout.offset, heads * layout.length)
            return
        }
        let members = heads / block.keyValueHeads
        for head in 0..<heads {
            let start = row + layout.range(group: head / members, member: head % members).lowerBound
            if norms.count == heads, heads > 1 {
                norms[head].apply(start, start, layout.length)
            } else {
                first.apply(start, start, layout.length, offset: scope == .eachHead ? head * layout.length : 0)
            }
        }
    }

    /// Llama 4's temperature of positions without rotary embedding.
    func heat(_ query: States<Real>, _ layout: HeadLayout, _ positions: Positions) {
        guard let temperature = block.temperature else { return }
        for segment in positions.segments {
            for row in segment {
                let position = Double(positions.offset + row - segment.lowerBound)
                let turns = ((position + 1) / temperature.floor).rounded(.down)
                let factor = Real(1 + temperature.scale * logarithm(1 + turns))
                for column in layout.offset..<layout.offset + block.heads * layout.length {
                    query.row(row)[column] *= factor
                }
            }
        }
    }

    /// Keys whose last channels all heads share: one matrix with whole heads, those channels rotated.
    func joined(_ key: States<Real>, _ shared: States<Real>, _ positions: Positions) -> HeadRows {
        let own = block.key.headLayout?.length ?? 0
        let length = own + shared.columns
        let all = States<Real>(rows: key.rows, columns: block.keyValueHeads * length)
        for segment in positions.segments {
            for row in segment {
                let target = all.row(row)
                for head in 0..<block.keyValueHeads {
                    let start = block.key.headLayout?.range(group: head, member: 0).lowerBound ?? 0
                    (target + head * length).update(from: key.row(row) + start, count: own)
                    (target + head * length + own).update(from: shared.row(row), count: shared.columns)
                    rotary?.turn(target + head * length, position: positions.offset + row - segment.lowerBound)
                }
            }
        }
        return HeadRows(all, HeadLayout(offset: 0, groupStride: length, headStride: length, length: length))
    }
}
