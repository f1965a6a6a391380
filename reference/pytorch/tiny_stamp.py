# SPDX-License-Identifier: Apache-2.0
"""The tiny STAMP model for training: one forward pass for a batch of images, many questions each.

The image prefix is computed once; question branches and mask passes read its keys and values.
Weights are a flat dict with the checkpoint's own names, so export is a copy. Mathematics as in
Hugging Face Qwen2-VL with spatial_merge_size 1; export_tiny.py checks that the logits agree.
"""
import torch
import torch.nn.functional as F

VISION_DEPTH, DEPTH, WIDTH, HEAD, FFN = 4, 6, 192, 64, 512
HEADS, VISION_HEADS = WIDTH // HEAD, WIDTH // HEAD
PATCH = 16
MIDDLE = 4                     # the aids also read the stream after so many layers: mask tokens use what <|seg|>
                               # knows before the last layers, never what it learns in the last one
THETA = 10000.0
SECTIONS = (8, 12, 12)
EPS = 1e-6
COLORS, KINDS = 13, 21         # background included
RANKS, ORDERS = 4, 24          # dense_labels.ranks


def shapes(vocab):
    """Name -> shape, in the checkpoint's (old) names; `dense.*` and `point.*` are training aids."""
    d = {"visual.patch_embed.proj.weight": (WIDTH, 3 * PATCH * PATCH)}   # both frames folded
    for i in range(VISION_DEPTH):
        b = f"visual.blocks.{i}."
        for n in ("norm1", "norm2"):
            d[b + n + ".weight"] = d[b + n + ".bias"] = (WIDTH,)
        for n, o, k in (("attn.qkv", 3 * WIDTH, WIDTH), ("attn.proj", WIDTH, WIDTH),
                        ("mlp.fc1", 4 * WIDTH, WIDTH), ("mlp.fc2", WIDTH, 4 * WIDTH)):
            d[b + n + ".weight"], d[b + n + ".bias"] = (o, k), (o,)
    d["visual.merger.ln_q.weight"] = d["visual.merger.ln_q.bias"] = (WIDTH,)
    for n in ("0", "2"):
        d[f"visual.merger.mlp.{n}.weight"], d[f"visual.merger.mlp.{n}.bias"] = (WIDTH, WIDTH), (WIDTH,)
    d["model.embed_tokens.weight"] = (vocab, WIDTH)
    for i in range(DEPTH):
        b = f"model.layers.{i}."
        d[b + "input_layernorm.weight"] = d[b + "post_attention_layernorm.weight"] = (WIDTH,)
        for n, o in (("q", WIDTH), ("k", HEAD), ("v", HEAD)):
            d[b + f"self_attn.{n}_proj.weight"], d[b + f"self_attn.{n}_proj.bias"] = (o, WIDTH), (o,)
        d[b + "self_attn.o_proj.weight"] = (WIDTH, WIDTH)
        d[b + "mlp.gate_proj.weight"] = d[b + "mlp.up_proj.weight"] = (FFN, WIDTH)
        d[b + "mlp.down_proj.weight"] = (WIDTH, FFN)
    d["model.norm.weight"] = (WIDTH,)
    d["classifier.weight"], d["classifier.bias"] = (1, WIDTH), (1,)
    # colour, kind, 4x4 foreground, offset to the centre, log radius, place in the picture
    d["dense.weight"], d["dense.bias"] = (COLORS + KINDS + 16 + 2 + 1 + 2, WIDTH), (COLORS + KINDS + 21,)
    d["dense.rank.weight"], d["dense.rank.bias"] = (ORDERS * RANKS, WIDTH), (ORDERS * RANKS,)
    # what a <|seg|> token should know of its thing: colour, kind, place, log radius
    d["point.what.weight"], d["point.what.bias"] = (12 + 20 + 3, WIDTH), (35,)
    for n in ("seg", "all", "cell", "middle_seg", "middle_cell"):
        d[f"point.{n}.weight"], d[f"point.{n}.bias"] = (64, WIDTH), (64,)
    d["point.middle_what.weight"], d["point.middle_what.bias"] = (12 + 20 + 3, WIDTH), (35,)
    d["point.bias"], d["point.middle_bias"] = (2,), (1,)
    return d


def initial(vocab, seed):
    g = torch.Generator().manual_seed(seed)
    out = {}
    for name, shape in shapes(vocab).items():
        if name.endswith("bias"):
            out[name] = torch.zeros(shape)
        elif len(shape) == 1:
            out[name] = torch.full(shape, .3 if name == "model.norm.weight" else 1.)
        else:
            # words must not drown beside image features, whose entries are of size 1
            std = .25 if "embed_tokens" in name else .6 * shape[1] ** -.5
            if name.startswith(("point", "classifier")):
                std *= 3
            if name.endswith(("attn.proj.weight", "fc2.weight", "o_proj.weight", "down_proj.weight")):
                std *= .3
            out[name] = torch.randn(shape, generator=g) * std
    return out


# ---- rotary tables -----------------------------------------------------------------------------

def vision_rotary(gh, gw):
    f = 10000.0 ** (-torch.arange(0, HEAD // 2, 2).float() / (HEAD // 2))
    y, x = torch.meshgrid(torch.arange(gh).float(), torch.arange(gw).float(), indexing="ij")
    a = torch.cat([y.reshape(-1, 1) * f, x.reshape(-1, 1) * f], -1)
    a = torch.cat([a, a], -1)
    return a.cos(), a.sin()


def text_rotary(position):
    """position [3, ...] -> cos, sin [..., HEAD]; slots 0..7 use t, 8..19 h, 20..31 w."""
    f = THETA ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    axis = torch.repeat_interleave(torch.arange(3), torch.tensor(SECTIONS))
    a = position.float().movedim(0, -1)[..., axis] * f
    a = torch.cat([a, a], -1)
    return a.cos(), a.sin()


def turn(x, cos, sin):
    """sin comes with the sign of rotate-half already in it, see signed()."""
    return torch.addcmul(x * cos, x.roll(HEAD // 2, -1), sin)


def signed(table, dtype):
    cos, sin = table
    sin = torch.cat([-sin[..., :HEAD // 2], sin[..., HEAD // 2:]], -1)
    return cos.to(dtype), sin.to(dtype)


# ---- blocks: queries come scaled by 1/8, put into the weights, where it is exact and free ------------

SCALE = HEAD ** -.5


def attend(q, k, v, bias=None):
    """[batch, rows, 64] against [batch, keys, 64]; bias broadcasts over the scores."""
    kt = k.transpose(-1, -2)
    s = torch.bmm(q, kt) if bias is None else torch.baddbmm(bias, q, kt)
    return torch.bmm(torch.softmax(s, -1), v)


def vision_block(x, cos, sin, n1w, n1b, qkvw, qkvb, pw, pb, n2w, n2b, f1w, f1b, f2w, f2b):
    b, n, _ = x.shape
    y = F.linear(F.layer_norm(x, (WIDTH,), n1w, n1b, EPS), qkvw, qkvb).view(b, n, 3 * VISION_HEADS, HEAD)
    y = y.transpose(1, 2)                                                        # b 9 n 64
    q, k, v = y.reshape(b, 3, VISION_HEADS, n, HEAD).unbind(1)
    q, k = turn(q, cos, sin), turn(k, cos, sin)
    a = attend(q.reshape(-1, n, HEAD), k.reshape(-1, n, HEAD), v.reshape(-1, n, HEAD))
    a = a.view(b, VISION_HEADS, n, HEAD).transpose(1, 2).reshape(b, n, WIDTH)
    x = x + F.linear(a, pw, pb)
    z = F.linear(F.layer_norm(x, (WIDTH,), n2w, n2b, EPS), f1w, f1b)
    return x + F.linear(z * torch.sigmoid(1.702 * z), f2w, f2b)


def rms(x, w):
    return F.rms_norm(x, (WIDTH,), w, EPS)


def rows(x):
    """[..., n, heads, 64] -> [..., heads*n, 64]: with one key head all query heads are just rows."""
    return x.transpose(-2, -3).flatten(-3, -2)


def unrows(x, n):
    return x.unflatten(-2, (HEADS, n)).transpose(-2, -3).flatten(-2)


def decoder_layer(x, cos, sin, causal_p, causal_t, seg_mask, P: int, Q: int, T: int, M: int, N: int,
                  n1, qkvw, qkvb, ow, n2, guw, dw):
    """x holds prefix rows [P], then Q branches of T rows, then M mask passes of N rows."""
    b = x.shape[0]
    y = F.linear(rms(x, n1), qkvw, qkvb).view(b, -1, HEADS + 2, HEAD)
    qk = turn(y[:, :, :HEADS + 1], cos, sin)
    q, k, v = qk[:, :, :HEADS], qk[:, :, HEADS], y[:, :, HEADS + 1]
    kp, vp = k[:, :P], v[:, :P]
    out = [unrows(attend(rows(q[:, :P]), kp, vp, causal_p), P)]
    if Q:
        kb, vb = k[:, P:P + Q * T].view(b, Q, T, HEAD), v[:, P:P + Q * T].view(b, Q, T, HEAD)

        def keys(prefix, own):
            return torch.cat([prefix.unsqueeze(1).expand(b, own.shape[1], P, HEAD), own], 2).flatten(0, 1)
        a = attend(rows(q[:, P:P + Q * T].view(b, Q, T, HEADS, HEAD)).flatten(0, 1),
                   keys(kp, kb), keys(vp, vb), causal_t)
        out.append(unrows(a, T).view(b, Q * T, WIDTH))
    if M:
        m0 = P + Q * T
        km = torch.cat([kb[:, :M], k[:, m0:].view(b, M, N, HEAD)], 2)
        vm = torch.cat([vb[:, :M], v[:, m0:].view(b, M, N, HEAD)], 2)
        a = attend(rows(q[:, m0:].view(b, M, N, HEADS, HEAD)).flatten(0, 1),
                   keys(kp, km), keys(vp, vm), seg_mask)
        out.append(unrows(a, N).view(b, M * N, WIDTH))
    x = x + F.linear(torch.cat(out, 1), ow)
    gate, up = F.linear(rms(x, n2), guw).split(FFN, -1)
    return x + F.linear(F.silu(gate) * up, dw)


# ---- the model ---------------------------------------------------------------------------------

def patches(image, mean=(0.48145466, 0.4578275, 0.40821073), std=(0.26862954, 0.26130258, 0.27577711)):
    """uint8 [B,H,W,3] -> float [B, cells, 3*16*16], channel first inside a patch."""
    x = (image.float() / 255 - torch.tensor(mean)) / torch.tensor(std)
    b, h, w, _ = x.shape
    x = x.view(b, h // PATCH, PATCH, w // PATCH, PATCH, 3).permute(0, 1, 3, 5, 2, 4)
    return x.reshape(b, (h // PATCH) * (w // PATCH), 3 * PATCH * PATCH)


def vision(w, pixels, gh, gw):
    x = F.linear(pixels.to(w["visual.patch_embed.proj.weight"].dtype),
                 w["visual.patch_embed.proj.weight"])
    cos, sin = signed(vision_rotary(gh, gw), x.dtype)
    scale = torch.cat([torch.full((WIDTH,), SCALE), torch.ones(2 * WIDTH)]).to(x.dtype)
    for i in range(VISION_DEPTH):
        b = f"visual.blocks.{i}."
        x = vision_block(
            x, cos, sin, w[b + "norm1.weight"], w[b + "norm1.bias"],
            w[b + "attn.qkv.weight"] * scale[:, None], w[b + "attn.qkv.bias"] * scale, *(w[b + n] for n in (
            "attn.proj.weight", "attn.proj.bias", "norm2.weight", "norm2.bias", "mlp.fc1.weight", "mlp.fc1.bias",
            "mlp.fc2.weight", "mlp.fc2.bias")))
    m = "visual.merger."
    x = F.layer_norm(x, (WIDTH,), w[m + "ln_q.weight"], w[m + "ln_q.bias"], EPS)
    x = F.gelu(F.linear(x, w[m + "mlp.0.weight"], w[m + "mlp.0.bias"]))
    return F.linear(x, w[m + "mlp.2.weight"], w[m + "mlp.2.bias"])


def dense(w, features):
    """Per-cell predictions, float32."""
    y = F.linear(features, w["dense.weight"], w["dense.bias"]).float()
    rank = F.linear(features, w["dense.rank.weight"], w["dense.rank.bias"]).float()
    return *y.split([COLORS, KINDS, 16, 2, 1, 2], -1), rank


def grid_positions(gh, gw, start):
    y, x = torch.meshgrid(torch.arange(gh), torch.arange(gw), indexing="ij")
    return torch.stack([torch.zeros(gh * gw, dtype=torch.long), y.reshape(-1), x.reshape(-1)]) + start


def language(w, features, head_ids, branch_ids, seg_at, mask_id, gh, gw, passes):
    """features [B,N,W]; head_ids [S] up to <|vision_start|>; branch_ids [B,Q,T] from <|vision_end|>.

    seg_at [B, passes]: index in its branch of the <|seg|> whose mask is asked; branch m has pass m.
    Returns normed hidden states of image cells [B,N,W], branches [B,Q,T,W], masks [B,passes,N,W],
    then those of cells and branches after MIDDLE layers, normed without a weight.
    """
    e = w["model.embed_tokens.weight"]
    B, N, _ = features.shape
    Q, T = branch_ids.shape[1:]
    S = head_ids.numel()
    P = S + N
    after = S + max(gh, gw)
    head = F.embedding(head_ids, e).expand(B, S, WIDTH)
    x = [head, features, F.embedding(branch_ids, e).view(B, Q * T, WIDTH)]
    position = [torch.arange(S).expand(3, S), grid_positions(gh, gw, S),
                (after + torch.arange(T)).repeat(Q).expand(3, Q * T)]
    position = torch.cat(position, 1).unsqueeze(1).expand(3, B, -1)
    seg_mask = None
    if passes:
        x.append((features + e[mask_id]).unsqueeze(1).expand(B, passes, N, WIDTH).reshape(
            B, passes * N, WIDTH))
        at = after + seg_at.unsqueeze(-1) + 1 + torch.arange(N)
        position = torch.cat([position, at.view(B, passes * N).expand(3, B, -1)], -1)
        hidden = torch.arange(T) > seg_at.unsqueeze(-1)                          # B M T
        seg_mask = torch.zeros(B * passes, 1, P + T + N, dtype=features.dtype)
        seg_mask[:, 0, P:P + T].masked_fill_(hidden.flatten(0, 1), -1e9)
    x = torch.cat(x, 1)
    cos, sin = (t.unsqueeze(2) for t in signed(text_rotary(position), x.dtype))

    def causal(n, before):
        block = torch.full((n, n), -1e9, dtype=x.dtype).triu(1)
        return torch.cat([torch.zeros(n, before, dtype=x.dtype), block], 1).repeat(HEADS, 1)
    causal_p, causal_t = causal(P, 0), causal(T, P)
    for i in range(DEPTH):
        b = f"model.layers.{i}."
        qkv = [torch.cat([w[f"{b}self_attn.q_proj.{kind}"] * SCALE, w[f"{b}self_attn.k_proj.{kind}"],
                          w[f"{b}self_attn.v_proj.{kind}"]]) for kind in ("weight", "bias")]
        x = decoder_layer(
            x, cos, sin, causal_p, causal_t, seg_mask, P, Q, T, passes, N,
            w[b + "input_layernorm.weight"], *qkv, w[b + "self_attn.o_proj.weight"],
            w[b + "post_attention_layernorm.weight"],
            torch.cat([w[b + "mlp.gate_proj.weight"], w[b + "mlp.up_proj.weight"]]),
            w[b + "mlp.down_proj.weight"])
        if i + 1 == MIDDLE:
            middle = rms(x[:, S:P + Q * T], None)
    x = rms(x, w["model.norm.weight"])
    return (x[:, S:P], x[:, P:P + Q * T].view(B, Q, T, WIDTH), x[:, P + Q * T:].view(B, passes, N, WIDTH),
            middle[:, :N], middle[:, N:].view(B, Q, T, WIDTH))


def classify(w, hidden):
    return (hidden.float() @ w["classifier.weight"].float().t()).squeeze(-1) + w["classifier.bias"].float()
