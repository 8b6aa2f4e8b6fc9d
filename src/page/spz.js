// SPZ, as src/io/spz.h describes it: version 3, without spherical harmonics.

const SPZ_HEADER = 16; // bytes

async function gunzip(bytes) {
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Positions as floats; the rest a word each as in the file, which the shader takes apart:
// colours and opacity 8 bits each, three scales 8 bits each, the rotation 2 + 3 * 10.
function parseSpz(data) {
    const header = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (header.getUint32(0, true) !== 0x5053474e || header.getUint32(4, true) !== 3)
        throw new Error("The splats are no SPZ file of version 3");
    const count = header.getUint32(8, true);
    const unit = 2 ** -header.getUint8(13);
    const opacities = SPZ_HEADER + 9 * count, colours = opacities + count;
    const scales = colours + 3 * count, rotations = scales + 3 * count;
    const splats = {
        count,
        positions: new Float32Array(3 * count),
        colours: new Uint32Array(count),
        scales: new Uint32Array(count),
        rotations: new Uint32Array(count),
    };
    for (let i = 0, at = SPZ_HEADER; i < 3 * count; i++, at += 3)
        splats.positions[i] =
            (data[at] << 8 | data[at + 1] << 16 | data[at + 2] << 24) / 256 * unit;
    for (let i = 0; i < count; i++) {
        const c = colours + 3 * i, s = scales + 3 * i;
        splats.colours[i] =
            data[c] | data[c + 1] << 8 | data[c + 2] << 16 | data[opacities + i] << 24;
        splats.scales[i] = data[s] | data[s + 1] << 8 | data[s + 2] << 16;
        splats.rotations[i] = header.getUint32(rotations + 4 * i, true);
    }
    return splats;
}
