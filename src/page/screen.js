// The canvas: its size, and a multisampled buffer for meshes. Splats are smooth, and would only
// be slower in it.

const BACKGROUND = [0x20 / 255, 0x23 / 255, 0x28 / 255, 1]; // as in page.css
const SAMPLES = 4;
const RATIO_MAX = 2; // device pixels in one of the page: more is not seen, and slow

class Screen {
    constructor(canvas) {
        this.canvas = canvas;
        this.gl = canvas.getContext("webgl2", {antialias: false, depth: false});
        if (!this.gl)
            throw new Error("This browser shows no WebGL 2. The files can be saved all the same.");
    }

    fit() {
        const {canvas} = this, ratio = Math.min(window.devicePixelRatio || 1, RATIO_MAX);
        const width = Math.max(Math.round(canvas.clientWidth * ratio), 1);
        const height = Math.max(Math.round(canvas.clientHeight * ratio), 1);
        if (canvas.width === width && canvas.height === height)
            return;
        canvas.width = width;
        canvas.height = height;
        this.dropBuffers();
    }

    dropBuffers() {
        if (!this.samples)
            return;
        this.gl.deleteFramebuffer(this.samples);
        this.buffers.forEach((buffer) => this.gl.deleteRenderbuffer(buffer));
        this.samples = null;
    }

    makeBuffers() {
        const {gl, canvas} = this;
        const add = (attachment, format) => {
            const buffer = gl.createRenderbuffer();
            gl.bindRenderbuffer(gl.RENDERBUFFER, buffer);
            gl.renderbufferStorageMultisample(gl.RENDERBUFFER, SAMPLES, format, canvas.width,
                                              canvas.height);
            gl.framebufferRenderbuffer(gl.FRAMEBUFFER, attachment, gl.RENDERBUFFER, buffer);
            return buffer;
        };
        this.samples = gl.createFramebuffer();
        gl.bindFramebuffer(gl.FRAMEBUFFER, this.samples);
        this.buffers = [add(gl.COLOR_ATTACHMENT0, gl.RGBA8),
                        add(gl.DEPTH_ATTACHMENT, gl.DEPTH_COMPONENT24)];
    }

    // Clear, run draw(), show.
    draw(isSampled, draw) {
        const {gl, canvas} = this;
        if (isSampled && !this.samples)
            this.makeBuffers();
        gl.bindFramebuffer(gl.FRAMEBUFFER, isSampled ? this.samples : null);
        gl.viewport(0, 0, canvas.width, canvas.height);
        gl.clearColor(...BACKGROUND);
        gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT);
        draw();
        if (!isSampled)
            return;
        gl.bindFramebuffer(gl.READ_FRAMEBUFFER, this.samples);
        gl.bindFramebuffer(gl.DRAW_FRAMEBUFFER, null);
        gl.blitFramebuffer(0, 0, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height,
                           gl.COLOR_BUFFER_BIT, gl.NEAREST);
    }
}
